import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ReferenceFile } from "../job-images/src/platform/local/reference-file";
import { Engine } from "../recovery";
import { type Contest } from "./rounds";

const referenceFileBytes = 6_000_000;
/** Of what the PostgreSQL database has: the guide's gzip is slow. */
const share = 0.3;

/** The ways to run a script and the runner, timed, in seconds. */
export interface Timers {
  readonly shell: (script: string) => Promise<number>;
  readonly dr: (config: string, ...args: string[]) => Promise<number>;
}

/** A SQLite file by the guide's script and by the runner, which also checks it and reads every value of the copy. */
export async function sqliteContests(folder: string, wantedBytes: number, { shell, dr }: Timers): Promise<Contest[]> {
  const home = join(folder, "sqlite");
  mkdirSync(join(home, "store"), { recursive: true });
  const path = join(home, "architect.db");
  const scale = (wantedBytes * share) / referenceFileBytes;
  await ReferenceFile.create({ name: "architect", engine: Engine.Sqlite, path }, scale, new AbortController().signal);
  const config = join(home, "dr.json");
  const write = (level: string): void =>
    writeFileSync(
      config,
      JSON.stringify({
        store: `file://${home}/store`,
        databases: [{ name: "architect", engine: "sqlite", path, proof: { level } }],
      }),
    );
  const guide = `gzip -c "${path}" > "${home}/guide.gz"; cp "${home}/guide.gz" "${home}/uploaded.gz"; sync "${home}/uploaded.gz"`;
  return [
    {
      name: "SQLite backup, integrity checked: the guide's gzip against dr backup",
      bar: 8,
      baseline: () => shell(guide),
      ours: () => {
        write("counts");
        return dr(config, "backup");
      },
    },
    {
      name: "SQLite backup, every value hashed as well: the guide's gzip against dr backup",
      bar: 1,
      baseline: () => shell(guide),
      ours: () => {
        write("content");
        return dr(config, "backup");
      },
    },
  ];
}
