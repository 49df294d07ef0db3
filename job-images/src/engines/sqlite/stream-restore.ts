import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import {
  holeAt,
  jobConfigDefaults,
  Mechanism,
  newestHeld,
  streamPrefix,
  streamSourceId,
  TargetClass,
} from "../../../../recovery";
import { NoRecoveryPointError } from "../../errors";
import { inScratchFolder } from "../../process/scratch-folder";
import { checkRecoveredCanary } from "../../proof/canary";
import { passed } from "../../proof/check";
import { ProofRun, type RestoreProof } from "../../proof/proof-run";
import { type ObjectStore } from "../../store/object-store";
import {
  type Extraction,
  type RestoredCopy,
  type StreamEngine,
  type StreamExtractRequest,
  type StreamIntoRequest,
  type StreamRequest,
  type StreamWindow,
} from "../engine";
import { checkConsistency } from "./consistency";
import { extractFromCopy } from "./extract";
import { checkWholeFile, leaveWriteAheadLog } from "./file-proof";
import { readCanary } from "./facts";
import { restoreIntoFile } from "./into-file";
import {
  generationBefore,
  type LitestreamReplica,
  type LitestreamWindow,
  readStreamWindow,
  restoreStream,
} from "./litestream";

/** Litestream's replica of a file: what the RPO is met with between two copies. */
export const sqliteStream: StreamEngine = {
  sourceId: streamSourceId,
  mechanism: Mechanism.SqliteStream,
  targetClass: TargetClass.File,
  acceptsPlace: (place) => !/^postgres(ql)?:/.test(place),
  isThere: ({ name }, store) => holdsAny(store, streamPrefix(name)),
  window: (request) => inScratchFolder((scratch) => readStreamWindow({ ...request, scratch })),
  restoreTest,
  restoreInto,
  extract,
};

function restoreTest(request: StreamRequest): Promise<RestoreProof> {
  return inScratchFolder(async (scratch) => {
    const replica = { ...request, scratch };
    const window = await windowFor(replica, request.at);
    return restoreAndProve(request, replica, window, join(scratch, "restored.db"));
  });
}

function restoreInto(request: StreamIntoRequest): Promise<RestoredCopy> {
  return inScratchFolder(async (scratch) => {
    const replica = { ...request, scratch };
    const window = await windowFor(replica, request.at);
    return restoreIntoFile(request, 0, (path, publish) => restoreAndProve(request, replica, window, path, publish));
  });
}

function extract(request: StreamExtractRequest): Promise<Extraction> {
  return inScratchFolder(async (scratch) => {
    const replica = { ...request, scratch };
    const window = await windowFor(replica, request.at);
    return extractFromCopy(request, (path) => restoreAndProve(request, replica, window, path));
  });
}

async function holdsAny(store: ObjectStore, prefix: string): Promise<boolean> {
  for await (const _ of store.list(prefix)) return true;
  return false;
}

async function windowFor(replica: LitestreamReplica, at: Date | undefined): Promise<LitestreamWindow> {
  const window = await readStreamWindow(replica);
  if (at === undefined || at >= window.from) return window;
  throw new NoRecoveryPointError(
    `Nothing is as old as ${at.toISOString()}: the stream of ${replica.database.name} begins at ${window.from.toISOString()}.`,
  );
}

/**
 * Litestream refuses a moment in a hole: all of the generation before it is asked for instead. It also refuses one after its
 * newest piece: all that it has is asked for then, unless it has gone on since.
 */
async function restoreAsOf(
  replica: LitestreamReplica,
  window: LitestreamWindow,
  path: string,
  at: Date | undefined,
): Promise<void> {
  if (at === undefined) return restoreStream(replica, path, undefined);
  const hole = holeAt(window, at);
  if (hole) return restoreStream(replica, path, { endOfGeneration: generationBefore(window, hole) });
  if (at <= window.to) return restoreStream(replica, path, { at });
  await restoreStream(replica, path, undefined);
  if ((await readStreamWindow(replica)).to <= at) return;
  await rm(path);
  await restoreStream(replica, path, { at });
}

function heldText(window: StreamWindow, at: Date | undefined): string {
  const hole = at && holeAt(window, at);
  const held = `holds ${window.from.toISOString()} to ${window.to.toISOString()}`;
  if (!hole) return held;
  return `${held}, and nothing between ${hole.from.toISOString()} and ${hole.to.toISOString()}: restored as of the former`;
}

async function restoreAndProve(
  request: StreamRequest,
  replica: LitestreamReplica,
  window: LitestreamWindow,
  path: string,
  publish?: () => Promise<void>,
): Promise<RestoreProof> {
  const { at, database, progress, signal } = request;
  const run = new ProofRun(signal, "stream");
  return run.toItsEnd(async () => {
    progress.step("fetching");
    await run.phase("fetch", "stream", async () => {
      await restoreAsOf(replica, window, path, at);
      run.targetMade = true;
      run.recoveredTo = (at && newestHeld(window, at)) ?? window.to;
      run.sizeBytes = (await stat(path)).size;
      run.checks.push(passed("stream", heldText(window, at)));
    });
    progress.step("checking");
    const access = { path, signal };
    await run.phase("check", "integrity", () => checkWholeFile(run, access));
    progress.step("proving");
    await run.phase("prove", "proof", async () => {
      run.checks.push(await checkConsistency(access, database.checks?.orphans ?? [], []));
      const canary = await readCanary(access);
      if (canary?.newestAt != null) run.newestHeartbeat = new Date(canary.newestAt);
      const canarySeconds = database.canary?.canarySeconds ?? jobConfigDefaults.canarySeconds;
      run.checks.push(checkRecoveredCanary(run.newestHeartbeat, window, at, canarySeconds));
    });
    await run.phase("finish", "settings", () => leaveWriteAheadLog(access));
    if (publish && run.checks.every(({ verdict }) => verdict === "pass")) await run.phase("switch", "switch", publish);
  });
}
