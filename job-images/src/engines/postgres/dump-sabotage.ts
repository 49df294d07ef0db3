import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { runTool } from "../../process/child";
import { silentProgress } from "../../progress";
import { partOf, readWholePart } from "../../store/parts";
import { fetchDecompressed } from "../compressed-part";
import { type SabotageKitRequest } from "../engine";
import { commonCases, type SabotageCase, type SabotageKit } from "../sabotage-case";
import { dumpPart, factsPart, globalsPart } from "./dump-parts";
import { type PostgresFacts } from "./facts";
import { libpqEnvironment, quoteIdentifier } from "./libpq";
import { analyze, createDatabase, loadArchive } from "./restore";
import { LocalServer, throwAwaySettings } from "./server";
import { connect } from "./session";
import { serverToolsFor } from "./tools";

/** The honest dump, and a server where spoiled archives can be made of it. */
interface Honest {
  readonly globals: string;
  readonly facts: PostgresFacts;
  /** Dumps a copy of the database after this SQL was run on it. */
  readonly dumpAfter: (sql: string, databaseName?: string) => Promise<Buffer>;
}

function casesOfDumps({ globals, facts, dumpAfter }: Honest): SabotageCase[] {
  const spoiled = async (sql: string, databaseName?: string) => ({
    parts: { [dumpPart]: await dumpAfter(sql, databaseName) },
  });
  const largest = largestTable(facts);
  return [
    {
      name: "empty database",
      expected: "structure",
      forge: () =>
        spoiled(
          `DO $$ DECLARE s text; BEGIN
             FOR s IN SELECT nspname FROM pg_namespace WHERE nspname NOT IN ('pg_catalog', 'information_schema', 'public') AND nspname !~ '^pg_'
             LOOP EXECUTE format('DROP SCHEMA %I CASCADE', s); END LOOP;
           END $$`,
        ),
    },
    {
      name: "stale: an old dump under a new manifest",
      expected: "canary",
      forge: () => spoiled("UPDATE dr_canary.heartbeat SET at = at - interval '1 day'"),
    },
    { name: "another database's dump", expected: "identity", forge: () => spoiled("SELECT 1", "another_database") },
    {
      name: "missing role",
      expected: "roles",
      forge: () => {
        const plain = facts.roles.filter(({ attributes }) => !attributes.includes("SUPERUSER"));
        const { name } = plain.find((role) => role.name !== facts.database.owner) ?? plain[0] ?? facts.roles[0]!;
        const mentions = new RegExp(`(ROLE|TO|GRANT) "?${name}"?[ ;]`);
        const lines = globals.split("\n").filter((line) => !mentions.test(line));
        return { parts: { [globalsPart]: Buffer.from(lines.join("\n")) } };
      },
    },
    { name: "dropped table", expected: "structure", forge: () => spoiled(`DROP TABLE ${largest} CASCADE`) },
    {
      name: "rows missing from the archive",
      expected: "counts",
      forge: () => spoiled(`DELETE FROM ${largest} WHERE ctid IN (SELECT ctid FROM ${largest} LIMIT 1)`),
    },
  ];
}

/** Restores the honest dump into a server of its own, where copies of it are spoiled and dumped again. */
export async function openDumpSabotage(request: SabotageKitRequest): Promise<SabotageKit> {
  const { manifest, scratch, signal, store } = request;
  const tools = await serverToolsFor(manifest.source.serverMajor);
  const server = await LocalServer.create({ tools, settings: throwAwaySettings, isolated: true, signal });
  try {
    const archivePath = join(scratch, "honest.pgc");
    await fetchDecompressed(store, partOf(manifest, dumpPart), archivePath, { signal });
    const parts: Record<string, Buffer> = {};
    for (const part of manifest.parts) parts[part.name] = await readWholePart(store, part, signal);
    const facts = JSON.parse(parts[factsPart]!.toString("utf8")) as PostgresFacts;
    const globals = parts[globalsPart]!.toString("utf8");
    const template = "dr honest template";
    const restore = {
      tools,
      archivePath,
      facts,
      globals,
      target: server.access(template),
      progress: silentProgress,
      signal,
    };
    await createDatabase(restore);
    await loadArchive(restore);
    await analyze(restore);
    await rm(archivePath);

    const dumpAfter = async (sql: string, databaseName = manifest.source.databaseName): Promise<Buffer> => {
      const admin = await connect(server.access("template1"));
      const name = quoteIdentifier(databaseName);
      try {
        await admin.query(`CREATE DATABASE ${name} TEMPLATE ${quoteIdentifier(template)}`);
        const client = await connect(server.access(databaseName));
        await client.query(sql).finally(() => client.end());
        return await dumpToMemory(server, databaseName, join(scratch, "spoiled"), signal);
      } finally {
        await admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
        await admin.end();
      }
    };
    const cases = [
      ...commonCases(manifest, parts, dumpPart, "archive"),
      ...casesOfDumps({ globals, facts, dumpAfter }),
    ];
    return { cases, parts, close: () => server.destroy() };
  } catch (error) {
    await server.destroy();
    throw error;
  }
}

async function dumpToMemory(
  server: LocalServer,
  databaseName: string,
  path: string,
  signal: AbortSignal,
): Promise<Buffer> {
  const environment = libpqEnvironment(server.access(databaseName), "dr sabotage");
  await runTool(server.tools.program("pg_dump"), ["--format=custom", "--compress=0", `--file=${path}`], {
    env: environment,
    signal,
  });
  await runTool("zstd", ["-q", "-f", "--rm", path, "-o", `${path}.zst`], { signal });
  return readFile(`${path}.zst`);
}

function largestTable(facts: PostgresFacts): string {
  const { schema, name } = facts.tables.reduce((largest, table) => (table.rows > largest.rows ? table : largest));
  return `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`;
}
