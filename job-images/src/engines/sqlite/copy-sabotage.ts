import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, open, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { OperationError } from "../../errors";
import { runTool } from "../../process/child";
import { partOf, readWholePart } from "../../store/parts";
import { fetchDecompressed } from "../compressed-part";
import { type SabotageKitRequest } from "../engine";
import { commonCases, type Forgery, type SabotageCase, type SabotageKit } from "../sabotage-case";
import { copyPart, factsPart } from "./copy-parts";
import { readHeader } from "./database-file";
import { type SqliteFacts } from "./facts";
import { readRows, runSql, sqlName, sqlText } from "./shell";

/** The honest copy, decompressed, and the file where it is spoiled. */
interface Workshop {
  readonly honest: string;
  readonly spoiled: string;
  readonly facts: SqliteFacts;
  readonly signal: AbortSignal;
}

/** Ways to spoil a copy of a SQLite file, as far as the database has what they spoil. */
export async function openCopySabotage(request: SabotageKitRequest): Promise<SabotageKit> {
  const { manifest, scratch, signal, store } = request;
  const parts: Record<string, Buffer> = {};
  for (const part of manifest.parts) parts[part.name] = await readWholePart(store, part, signal);
  const facts = JSON.parse(parts[factsPart]!.toString("utf8")) as SqliteFacts;
  const workshop = { honest: join(scratch, "honest.db"), spoiled: join(scratch, "spoiled.db"), facts, signal };
  await fetchDecompressed(store, partOf(manifest, copyPart), workshop.honest, { signal });
  const cases = [...commonCases(manifest, parts, copyPart, "file"), ...(await casesOfCopies(workshop))];
  return { cases, parts, close: () => rm(workshop.honest, { force: true }) };
}

async function casesOfCopies(workshop: Workshop): Promise<SabotageCase[]> {
  const { facts, honest } = workshop;
  const afterSql = (sql: string) => (): Promise<Forgery> => spoiledBy(workshop, (path) => changeBySql(path, sql));
  const largest = await largestTable(workshop);
  const table = sqlName(largest);
  const cases: SabotageCase[] = [
    { name: "empty database file", expected: "file", forge: () => spoiledBy(workshop, (path) => truncate(path, 0)) },
    {
      name: "truncated database file",
      expected: "file",
      forge: () => spoiledBy(workshop, async (path) => truncate(path, Math.floor((await stat(path)).size / 2))),
    },
    {
      name: "flipped page",
      expected: "integrity",
      forge: () => spoiledBy(workshop, (path) => flipPageOf(path, largest)),
    },
    {
      name: "another database's file",
      expected: facts.canary ? "identity" : "structure",
      forge: async () => {
        await rm(workshop.spoiled, { force: true });
        await runTool("sqlite3", ["-batch", workshop.spoiled], {
          input: "CREATE TABLE other (a); INSERT INTO other VALUES (1);",
        });
        return compressed(workshop);
      },
    },
    {
      name: "hot journal beside the restored file",
      expected: "sidecars",
      forge: async () => strayBeside("-journal", await leftByAKilledWriter(workshop, "-journal", table)),
    },
    {
      name: "stale write-ahead log beside the restored file",
      expected: "sidecars",
      forge: async () => strayBeside("-wal", await leftByAKilledWriter(workshop, "-wal", table)),
    },
    { name: "missing table", expected: "structure", forge: afterSql(`DROP TABLE ${table};`) },
    { name: "one row lost", expected: "counts", forge: afterSql(loseOneRow(table)) },
  ];
  const change = await changeOneValue(honest, largest);
  if (change !== undefined) cases.push({ name: "one row changed", expected: "content", forge: afterSql(change) });
  for (const type of ["index", "trigger"] as const) {
    const object = facts.schema.find((each) => each.type === type);
    if (!object) continue;
    const drop = `DROP ${type.toUpperCase()} ${sqlName(object.name)};`;
    cases.push({ name: `dropped ${type}`, expected: "structure", forge: afterSql(drop) });
  }
  const counter = facts.sequences.find(({ last }) => last !== "0");
  if (counter) {
    const reset = `UPDATE sqlite_sequence SET seq = 0 WHERE name = ${sqlText(counter.table)};`;
    cases.push({ name: "sequence behind its table", expected: "sequences", forge: afterSql(reset) });
  }
  if (facts.canary?.newestAt != null) {
    const older = "UPDATE dr_canary SET at = strftime('%Y-%m-%dT%H:%M:%fZ', at, '-1 day');";
    cases.push({ name: "stale: an old copy under a new manifest", expected: "canary", forge: afterSql(older) });
  }
  return cases;
}

/** The largest ordinary table with a rowid. @throws OperationError when none has a row */
async function largestTable({ honest, facts }: Workshop): Promise<string> {
  const ordinary = new Set(
    await runSql(
      { path: honest },
      "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND NOT wr;",
    ),
  );
  const [largest] = facts.tables
    .filter(({ name, rows }) => ordinary.has(name) && rows > 0)
    .sort((a, b) => b.rows - a.rows);
  if (largest) return largest.name;
  throw new OperationError("The recovery point holds no row of an ordinary table: there is nothing to spoil.");
}

async function spoiledBy(workshop: Workshop, spoil: (path: string) => Promise<void>): Promise<Forgery> {
  await copyFile(workshop.honest, workshop.spoiled);
  await spoil(workshop.spoiled);
  return compressed(workshop);
}

async function compressed({ spoiled, signal }: Workshop): Promise<Forgery> {
  await runTool("zstd", ["-q", "-f", "--rm", spoiled, "-o", `${spoiled}.zst`], { signal });
  return { parts: { [copyPart]: await readFile(`${spoiled}.zst`) } };
}

/** The database's own triggers stay out of it, and its definitions as they are. */
async function changeBySql(path: string, sql: string): Promise<void> {
  await runSql({ path, writable: true }, `.dbconfig enable_trigger off\n${sql}`);
}

function loseOneRow(table: string): string {
  return `DELETE FROM ${table} WHERE rowid = (SELECT max(rowid) FROM ${table});`;
}

/** A statement that changes one value and breaks no constraint; `undefined` where every column is a key. */
async function changeOneValue(path: string, table: string): Promise<string | undefined> {
  const columns = await readRows<{ name: string }>(
    { path },
    `SELECT json_object('name', name) FROM pragma_table_xinfo(${sqlText(table)}) WHERE pk = 0 AND hidden = 0;`,
  );
  if (columns.length === 0) return undefined;
  const column = sqlName(columns[0]!.name);
  const name = sqlName(table);
  return `UPDATE ${name} SET ${column} = CASE typeof(${column}) WHEN 'text' THEN ${column} || '.'
    WHEN 'blob' THEN zeroblob(length(${column}) + 1) WHEN 'null' THEN 1 ELSE ${column} + 1 END
    WHERE rowid = (SELECT max(rowid) FROM ${name});`;
}

/** Overwrites the first page of a table's tree, which every look into it has to read. */
async function flipPageOf(path: string, table: string): Promise<void> {
  const [page] = await runSql(
    { path },
    `SELECT rootpage FROM sqlite_schema WHERE type = 'table' AND name = ${sqlText(table)};`,
  );
  const { pageBytes } = await readHeader(path);
  const file = await open(path, "r+");
  try {
    const offset = (Number(page) - 1) * pageBytes;
    const bytes = Buffer.alloc(pageBytes);
    await file.read(bytes, 0, pageBytes, offset);
    await file.write(
      bytes.map((byte) => byte ^ 0xff),
      0,
      pageBytes,
      offset,
    );
  } finally {
    await file.close();
  }
}

function strayBeside(suffix: string, content: Buffer): Forgery {
  return { spoilCopy: (path) => writeFile(path + suffix, content) };
}

const writerDeadlineSeconds = 20;

/** What a writer that was killed leaves beside its file: SQLite replays it over whatever file lies there then. */
async function leftByAKilledWriter(
  { honest, spoiled }: Workshop,
  suffix: "-wal" | "-journal",
  table: string,
): Promise<Buffer> {
  const wal = suffix === "-wal";
  const sidecar = spoiled + suffix;
  await copyFile(honest, spoiled);
  const writer = spawn("sqlite3", ["-batch", spoiled], { stdio: ["pipe", "pipe", "ignore"] });
  const exited = once(writer, "exit");
  try {
    // A cache of one page makes it write to the file, and so to its journal, before the end of the transaction.
    writer.stdin.write(
      `PRAGMA journal_mode = ${wal ? "WAL" : "DELETE"};\nPRAGMA cache_size = 1;\nBEGIN;\nDELETE FROM ${table};\n` +
        `${wal ? "COMMIT;\n" : ""}SELECT 'written';\n`,
    );
    const deadline = performance.now() + writerDeadlineSeconds * 1000;
    let said = "";
    writer.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
    while (!said.includes("written")) {
      if (performance.now() > deadline || writer.exitCode !== null) {
        throw new OperationError(`A writer that was to leave ${sidecar} did not get that far.`);
      }
      await delay(10);
    }
    return await readFile(sidecar);
  } finally {
    writer.kill("SIGKILL");
    await exited;
    for (const path of [spoiled, `${spoiled}-wal`, `${spoiled}-shm`, `${spoiled}-journal`])
      await rm(path, { force: true });
  }
}
