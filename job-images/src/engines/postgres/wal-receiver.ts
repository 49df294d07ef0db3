import { Tool } from "../../process/child";
import { libpqEnvironment, type PostgresAccess } from "./libpq";
import { type PostgresTools } from "./tools";

/**
 * `pg_receivewal`, writing into a folder: it syncs what it received before it tells the server, so that the server may
 * forget only what is on disk here. It ends at the first error; whoever started it decides what to do about that.
 */
export class WalReceiver {
  private readonly tool: Tool;
  private reason: string | undefined;

  constructor(access: PostgresAccess, tools: PostgresTools, slot: string, folder: string) {
    this.tool = new Tool(
      "setpriv",
      // Left behind by a runner that was killed, it would hold the slot and fill the spool for nobody.
      [
        "--pdeathsig",
        "TERM",
        "--",
        tools.program("pg_receivewal"),
        `--directory=${folder}`,
        `--slot=${slot}`,
        "--synchronous",
        "--no-loop",
        "--no-password",
        "--status-interval=2",
      ],
      { env: libpqEnvironment({ ...access, databaseName: "" }, "dr stream") },
    );
    this.tool.output.resume();
    this.tool.ended.then(
      () => (this.reason = "pg_receivewal ended by itself"),
      (error: Error) => (this.reason = error.message),
    );
  }

  /** Why it has ended; absent while it runs. */
  get failure(): string | undefined {
    return this.reason;
  }

  /** Ends it in order, and waits until it has. */
  async stop(): Promise<void> {
    if (this.reason === undefined) this.tool.process.kill("SIGINT");
    await this.tool.ended.catch(() => undefined);
  }
}

/** The server has thrown away what the receiver would have needed next: a hole in the log that nothing closes. */
export function isLogGone(failure: string): boolean {
  return /requested WAL segment \S+ has already been removed|requested starting point .* is (ahead of|not in)/.test(
    failure,
  );
}
