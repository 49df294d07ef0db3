import assert from "node:assert/strict";
import { type Client } from "pg";
import { LocalServer } from "../../job-images/src/engines/postgres/server";
import { withClient } from "./postgres";

/** Transactions on their way into the ledger. */
export interface Writer {
  /** What the server has acknowledged: the newest entry of each transaction, and when it was acknowledged. */
  readonly committed: readonly { readonly id: number; readonly at: number }[];
  stop(): Promise<number>;
  broken(): Promise<void>;
}

/** Adds entries without a pause until it is stopped; the connection is the writer's to end. */
export function startWriter(client: Client): Writer {
  let stopped = false;
  let commits = 0;
  const committed: { id: number; at: number }[] = [];
  const work = (async () => {
    while (!stopped) {
      await client.query("BEGIN");
      const { rows } = await client.query<{ id: number }>(
        "INSERT INTO public.entry (amount, note) SELECT i, repeat('x', 50) FROM generate_series(1, 20) i RETURNING id::int",
      );
      await client.query("UPDATE public.total SET amount = amount + 20");
      const rolledBack = commits % 7 === 6;
      await client.query(rolledBack ? "ROLLBACK" : "COMMIT");
      if (!rolledBack) committed.push({ id: rows.at(-1)!.id, at: Date.now() });
      commits++;
    }
    await client.end();
  })();
  return {
    committed,
    async stop() {
      stopped = true;
      await work;
      return commits;
    },
    broken: () => work.catch(() => undefined),
  };
}

/** The moment by the server's clock. */
export async function now(server: LocalServer): Promise<Date> {
  return withClient(server, "ledger", async (client) => {
    const { rows } = await client.query<{ now: Date }>("SELECT clock_timestamp() AS now");
    return rows[0]!.now;
  });
}

/** What a ledger holds. */
export async function contents(client: Client, where = "", table = "public.entry"): Promise<unknown> {
  const { rows } = await client.query(
    `SELECT count(*)::int AS rows, md5(string_agg(id::text, ',' ORDER BY id)) AS ids FROM ${table} ${where}`,
  );
  return rows[0];
}

/** The newest entry of a recovered data directory. */
export function newestEntry(like: LocalServer, dataDirectory: string): Promise<number> {
  return inCopy(like, dataDirectory, async (client) => {
    const { rows } = await client.query<{ id: number }>("SELECT max(id)::int AS id FROM public.entry");
    return rows[0]!.id;
  });
}

/** What the ledger of a recovered data directory holds. */
export function contentsOf(like: LocalServer, dataDirectory: string): Promise<unknown> {
  return inCopy(like, dataDirectory, async (client) => {
    const { rows } = await client.query<{ whole: boolean }>(
      "SELECT amount = (SELECT count(*) FROM public.entry) AS whole FROM public.total",
    );
    assert.ok(rows[0]!.whole, "a transaction was recovered in part");
    return contents(client);
  });
}

/** Starts a server on a recovered data directory, as its owner would. */
export async function inCopy<Result>(
  like: LocalServer,
  dataDirectory: string,
  work: (client: Client) => Promise<Result>,
): Promise<Result> {
  const server = await LocalServer.forDataOfAnother(
    { tools: like.tools, settings: { fsync: "off" }, dataDirectory },
    like.access().user,
  );
  try {
    await server.start();
    return await withClient(server, "ledger", work);
  } finally {
    await server.destroy();
  }
}
