import { createHash, type Hash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { OperationError } from "../../errors";
import { Tool } from "../../process/child";
import { databaseConnectionString, libpqEnvironment, type PostgresAccess } from "./libpq";
import { type PostgresTools } from "./tools";

/** What a table's rows are known by: how many there are, and the SHA-256 of them as COPY writes them. */
export interface RowsDigest {
  readonly rows: number;
  readonly sha256: string;
}

/** Counts and hashes what COPY writes. A line break inside a value is escaped, so every one of them ends a row. */
export class RowsHash {
  private readonly hash: Hash = createHash("sha256");
  private rows = 0;

  update(bytes: Buffer): void {
    this.hash.update(bytes);
    for (let at = bytes.indexOf(0x0a); at !== -1; at = bytes.indexOf(0x0a, at + 1)) this.rows++;
  }

  digest(): RowsDigest {
    return { rows: this.rows, sha256: this.hash.digest("hex") };
  }
}

/** The arguments and the environment with which psql runs what we write for it, and nothing of its user's own. */
export function startPsql(
  tools: PostgresTools,
  access: PostgresAccess,
  args: readonly string[],
  options: { readonly signal: AbortSignal; readonly utf8: boolean; readonly stdinPipe?: boolean },
): Tool {
  const { signal, utf8, stdinPipe } = options;
  const env = libpqEnvironment(access, "dr extract", utf8 ? { client_encoding: "UTF8" } : {});
  return new Tool(
    tools.program("psql"),
    [
      "--no-psqlrc",
      "--no-password",
      "--quiet",
      "--set=ON_ERROR_STOP=1",
      ...args,
      databaseConnectionString(access.databaseName),
    ],
    { env, signal, stdinPipe },
  );
}

/** One transaction of psql, into which files of rows are copied and read again before anybody else sees them. */
export class SideTransaction {
  private reading: { readonly hash: RowsHash; readonly done: (digest: RowsDigest) => void } | undefined;
  private pending: Buffer = Buffer.alloc(0);
  /** A line that no row can be: nobody knew it when the rows were written. */
  private readonly mark = `dr ${randomBytes(16).toString("hex")}`;
  private readonly markLine = Buffer.from(`${this.mark}\n`);

  private constructor(private readonly psql: Tool) {
    psql.process.stdin!.on("error", () => undefined);
    psql.output.on("data", (chunk: Buffer) => this.read(chunk));
  }

  static async begin(
    tools: PostgresTools,
    access: PostgresAccess,
    options: { readonly signal: AbortSignal; readonly utf8: boolean },
  ): Promise<SideTransaction> {
    const transaction = new SideTransaction(startPsql(tools, access, ["--file=-"], { ...options, stdinPipe: true }));
    await transaction.write("BEGIN;\n");
    return transaction;
  }

  async statement(sql: string): Promise<void> {
    await this.write(`${sql};\n`);
  }

  /** Copies a file of rows in. @param table as SQL writes it */
  async copyIn(table: string, path: string): Promise<void> {
    await this.write(`COPY ${table} FROM STDIN;\n`);
    for await (const chunk of createReadStream(path)) await this.write(chunk as Buffer);
    await this.write("\\.\n");
  }

  /** What the table holds, as this transaction sees it. */
  async digest(table: string): Promise<RowsDigest> {
    const digest = new Promise<RowsDigest>((done) => (this.reading = { hash: new RowsHash(), done }));
    await this.write(`COPY ${table} TO STDOUT;\nCOPY (SELECT '${this.mark}') TO STDOUT;\n`);
    return this.orItsEnd(digest);
  }

  async commit(): Promise<void> {
    await this.write("COMMIT;\n");
    this.psql.process.stdin!.end();
    await this.psql.ended;
  }

  /** Leaves nothing: a connection that goes away takes its transaction with it. */
  async abandon(): Promise<void> {
    if (this.psql.process.exitCode === null) this.psql.process.kill("SIGTERM");
    await this.psql.ended.catch(() => undefined);
  }

  private async write(data: string | Buffer): Promise<void> {
    const { stdin } = this.psql.process;
    if (this.psql.process.exitCode !== null) await this.orItsEnd(new Promise(() => undefined));
    if (!stdin!.write(data)) await this.orItsEnd(new Promise<void>((resolve) => stdin!.once("drain", resolve)));
  }

  private orItsEnd<Result>(work: Promise<Result>): Promise<Result> {
    const ended = this.psql.ended.then((): never => {
      throw new OperationError("psql ended before it was done.");
    });
    return Promise.race([work, ended]);
  }

  private read(chunk: Buffer): void {
    if (!this.reading) return;
    this.pending = Buffer.concat([this.pending, chunk]);
    const { hash, done } = this.reading;
    const end = this.pending.indexOf(this.markLine);
    const settled = end === -1 ? Math.max(0, this.pending.length - this.markLine.length) : end;
    hash.update(this.pending.subarray(0, settled));
    this.pending = this.pending.subarray(settled);
    if (end === -1) return;
    this.pending = Buffer.alloc(0);
    this.reading = undefined;
    done(hash.digest());
  }
}
