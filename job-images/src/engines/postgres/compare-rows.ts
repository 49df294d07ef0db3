import { createHash, type Hash } from "node:crypto";
import { type Client } from "pg";
import { type EvidenceCheck } from "../../../../recovery";
import { countAndSample, countLargeObjects, one, type PostgresFacts, type TableFacts, tableName } from "./facts";
import { databaseConnectionString, libpqEnvironment, type PostgresAccess } from "./libpq";
import { type PostgresTools } from "./tools";
import { checkedOutput, Tool } from "../../process/child";
import { ArchiveDataReader } from "./archive-data-reader";
import { judged, undecided } from "../../proof/check";
import { type TableComparison } from "../../proof/proof-run";

/**
 * The restored rows against the source's facts: the archive can only be compared with the source by what was measured
 * in the snapshot that it was taken in.
 */
export async function compareCounts(
  client: Client,
  facts: PostgresFacts,
): Promise<{ checks: EvidenceCheck[]; comparisons: TableComparison[] }> {
  const counts: string[] = [];
  const samples: string[] = [];
  const comparisons: TableComparison[] = [];
  for (const table of facts.tables) {
    const comparison = await compareTable(client, table);
    comparisons.push(comparison.result);
    counts.push(...comparison.counts);
    samples.push(...comparison.samples);
  }
  const largeObjects = await countLargeObjects(client);
  if (largeObjects !== facts.largeObjects) counts.push(`${largeObjects} large objects, were ${facts.largeObjects}`);
  const rows = facts.tables.reduce((sum, table) => sum + table.rows, 0);
  const sampled = comparisons.reduce((sum, comparison) => sum + comparison.sampledRows, 0);
  return {
    comparisons,
    checks: [
      judged("counts", counts, `${rows} rows in ${facts.tables.length} tables, ${facts.largeObjects} large objects`),
      judged("sample", samples, `${sampled} rows by key hash, as they were in the source`),
    ],
  };
}

/** One table against its facts. */
export async function compareTable(
  client: Client,
  table: TableFacts,
): Promise<{ result: TableComparison; counts: string[]; samples: string[] }> {
  const name = tableName(table);
  const missing = { table: name, expectedRows: table.rows, rows: 0, sampledRows: 0, equal: false };
  const { present } = await one<{ present: boolean }>(
    client,
    `SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = ${literal(table.schema)} AND tablename = ${literal(table.name)}) AS present`,
  );
  if (!present) return { result: missing, counts: [`${name} is missing, held ${table.rows} rows`], samples: [] };
  const got = await countAndSample(client, table.schema, table.name, table.sample);
  const counts = got.rows === table.rows ? [] : [`${name} holds ${got.rows} rows, held ${table.rows}`];
  const sampleDiffers =
    table.sample !== undefined &&
    (got.sample?.rows !== table.sample.rows || got.sample.hashSum !== table.sample.hashSum);
  const samples = sampleDiffers && counts.length === 0 ? [`${name}: rows of the sample differ from the source`] : [];
  return {
    result: {
      table: name,
      expectedRows: table.rows,
      rows: got.rows,
      sampledRows: got.sample?.rows ?? 0,
      equal: counts.length === 0 && !sampleDiffers,
    },
    counts,
    samples,
  };
}

const literal = (text: string): string => `'${text.replace(/'/g, "''")}'`;

/**
 * Every restored row against the archive's own data stream, byte by byte: the same COPY text, in the same order,
 * because a restore loads each table in one stream.
 */
export async function compareContent(
  client: Client,
  access: PostgresAccess,
  tools: PostgresTools,
  archivePath: string,
  facts: PostgresFacts,
  signal: AbortSignal,
): Promise<EvidenceCheck> {
  const archive = await digestArchive(tools, archivePath, signal);
  const differences: string[] = [];
  for (const [copy, digest] of archive.tables) {
    if ((await digestTable(tools, access, copy, signal)) !== digest)
      differences.push(`the rows of ${copy} differ from the archive's`);
  }
  for (const [id, digest] of archive.largeObjects) {
    if ((await digestLargeObject(client, id)) !== digest)
      differences.push(`large object ${id} differs from the archive's`);
  }
  const check = judged(
    "content",
    differences,
    `every row of ${archive.tables.size} tables and ${archive.largeObjects.size} large objects equals the archive's`,
  );
  if (differences.length === 0 && archive.tables.size < facts.tables.length) {
    return undecided(
      "content",
      `${archive.tables.size} of ${facts.tables.length} tables were found in the archive's data`,
    );
  }
  return check;
}

async function digestArchive(
  tools: PostgresTools,
  archivePath: string,
  signal: AbortSignal,
): Promise<{ tables: Map<string, string>; largeObjects: Map<string, string> }> {
  const tables = new Map<string, string>();
  const largeObjects = new Map<string, Hash>();
  let table: Hash | undefined;
  const reader = new ArchiveDataReader({
    tableStart: () => (table = createHash("sha256")),
    tableData: (bytes) => table!.update(bytes),
    tableEnd: (copy) => tables.set(copy, table!.digest("hex")),
    largeObjectData: (id, bytes) => {
      const hash = largeObjects.get(id) ?? createHash("sha256");
      largeObjects.set(id, hash.update(bytes));
    },
  });
  const pgRestore = new Tool(tools.program("pg_restore"), ["--data-only", "--file=-", archivePath], { signal });
  for await (const chunk of checkedOutput([pgRestore])) reader.push(chunk);
  reader.end();
  return { tables, largeObjects: new Map([...largeObjects].map(([id, hash]) => [id, hash.digest("hex")])) };
}

async function digestTable(
  tools: PostgresTools,
  access: PostgresAccess,
  copy: string,
  signal: AbortSignal,
): Promise<string> {
  const hash = createHash("sha256");
  const psql = new Tool(
    tools.program("psql"),
    [
      "--no-psqlrc",
      "--no-password",
      "--quiet",
      "--set=ON_ERROR_STOP=1",
      `--command=COPY ${copy} TO STDOUT`,
      databaseConnectionString(access.databaseName),
    ],
    { env: libpqEnvironment(access, "dr proof"), signal },
  );
  for await (const chunk of checkedOutput([psql])) hash.update(chunk);
  return hash.digest("hex");
}

const largeObjectChunk = 1024 * 1024;

async function digestLargeObject(client: Client, id: string): Promise<string | undefined> {
  const hash = createHash("sha256");
  for (let offset = 0; ; offset += largeObjectChunk) {
    const { rows } = await client.query<{ data: Buffer }>("SELECT lo_get($1::oid, $2, $3) AS data", [
      id,
      offset,
      largeObjectChunk,
    ]);
    const data = rows[0]?.data;
    if (data === undefined) return undefined;
    hash.update(data);
    if (data.length < largeObjectChunk) return hash.digest("hex");
  }
}
