import { setTimeout as delay } from "node:timers/promises";
import { type Client } from "pg";
import { type PostgresAccess } from "../../job-images/src/engines/postgres/libpq";
import { beat } from "../../job-images/src/engines/postgres/prepare";
import { connect } from "../../job-images/src/engines/postgres/session";

/** The table that the rows go into, with a total that only a whole transaction leaves right. */
export const ledgerTables = `
CREATE TABLE public.entry (id bigserial PRIMARY KEY, amount int NOT NULL);
CREATE TABLE public.total AS SELECT 0::bigint AS amount;`;

/**
 * Commits rows, and heartbeats, all the time and remembers which the server has acknowledged, and when: those are the ones that a
 * recovery must bring back. Connects again whenever it is cut off.
 */
export class AcknowledgedRows {
  private readonly rows = new Map<number, number>();
  private readonly stopping = new AbortController();
  private readonly work: Promise<void>;

  constructor(private readonly access: PostgresAccess) {
    this.work = this.untilStopped();
  }

  /** Ids of what was acknowledged by then. */
  by(moment: number): number[] {
    return [...this.rows].filter(([, at]) => at <= moment).map(([id]) => id);
  }

  /** What a failover lost is not what a backup lost. */
  async forgetWhatIsGone(client: Client): Promise<void> {
    const until = Date.now();
    const { rows } = await client.query<{ id: string }>("SELECT id FROM public.entry");
    const there = new Set(rows.map(({ id }) => Number(id)));
    for (const id of this.by(until)) if (!there.has(id)) this.rows.delete(id);
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.work;
  }

  private async untilStopped(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      let client: Client | undefined;
      try {
        client = await connect(this.access, { applicationName: "ledger" });
        let beatAt = 0;
        while (!signal.aborted) {
          if (Date.now() >= beatAt) {
            beatAt = Date.now() + 1000;
            // Until somebody has prepared it there is no table for it.
            await beat(client).catch(() => undefined);
          }
          const { rows } = await client.query<{ id: string }>(
            "WITH new AS (INSERT INTO public.entry (amount) VALUES (7) RETURNING id), sum AS (UPDATE public.total SET amount = amount + 7) SELECT id FROM new",
          );
          this.rows.set(Number(rows[0]!.id), Date.now());
          await delay(20);
        }
      } catch {
        await delay(100);
      } finally {
        await client?.end().catch(() => undefined);
      }
    }
  }
}

/** What is wrong with a recovered ledger that must hold these rows; `undefined` when nothing is. */
export async function ledgerProblem(client: Client, required: readonly number[]): Promise<string | undefined> {
  const { rows } = await client.query<{ missing: string; whole: boolean }>(
    `SELECT (SELECT count(*) FROM unnest($1::bigint[]) AS r(id) WHERE NOT EXISTS (SELECT FROM public.entry e WHERE e.id = r.id)) AS missing,
       (SELECT amount FROM public.total) = (SELECT coalesce(sum(amount), 0) FROM public.entry) AS whole`,
    [required],
  );
  const { missing, whole } = rows[0]!;
  if (missing !== "0") return `${missing} of ${required.length} acknowledged rows are missing`;
  return whole ? undefined : "a transaction is there in part";
}
