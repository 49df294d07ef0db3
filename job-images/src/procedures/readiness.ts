import { type JobConfig, StorePrefix, Verdict } from "../../../recovery";
import { databaseKindOf } from "../engines/database-kinds";
import { type Diagnosis } from "../engines/diagnosis";
import { messageOf } from "../errors";
import { runTool } from "../process/child";
import { type ObjectStore } from "../store/object-store";

/** Every check, with what it is about. The drill runs the same before it starts. */
export async function diagnose(config: JobConfig, store: ObjectStore, signal: AbortSignal): Promise<Diagnosis[]> {
  const ofJob = await Promise.all([diagnoseStore(store, signal), diagnoseZstd()]);
  const ofDatabases = await Promise.all(
    config.databases.map(async (database) => scoped(database.name, await databaseKindOf(database).diagnose(database))),
  );
  return [...scoped("job", ofJob), ...ofDatabases.flat()];
}

function scoped(scope: string, diagnoses: readonly Diagnosis[]): Diagnosis[] {
  return diagnoses.map((diagnosis) => ({ ...diagnosis, name: `${scope} ${diagnosis.name}` }));
}

async function diagnoseStore(store: ObjectStore, signal: AbortSignal): Promise<Diagnosis> {
  try {
    const key = `${StorePrefix.Decoy}doctor.json`;
    await store.put(key, Buffer.from(`${JSON.stringify({ at: new Date().toISOString() })}\n`), {
      signal,
    });
    if (!(await store.head(key))) throw new Error("what was just written is not there");
    return { name: "store", verdict: Verdict.Pass, found: `${store.url} can be written and read`, fix: "" };
  } catch (error) {
    return {
      name: "store",
      verdict: Verdict.Fail,
      found: messageOf(error),
      fix: `Make ${store.url} reachable and writable.`,
    };
  }
}

async function diagnoseZstd(): Promise<Diagnosis> {
  try {
    const version = /v[\d.]+/.exec(await runTool("zstd", ["--version"]))?.[0] ?? "of an unknown version";
    return { name: "zstd", verdict: Verdict.Pass, found: version, fix: "" };
  } catch (error) {
    return { name: "zstd", verdict: Verdict.Fail, found: messageOf(error), fix: "Install zstd." };
  }
}
