import { randomBytes } from "node:crypto";
import {
  compactUtc,
  copyNameProblem,
  type DatabaseConfig,
  type DatabaseEndpoint,
  jobConfigDefaults,
  type Manifest,
  Mechanism,
  type RdsRestoreChoice,
  type RdsRestorePoint,
  rdsIdentifierPattern,
  type RdsSettings,
  rdsSettingsDefaults,
  TargetClass,
  throwAwayNamePrefix,
} from "../../../../recovery";
import { messageOf, NoRecoveryPointError, OperationError, UsageError } from "../../errors";
import { judged, passed, undecided } from "../../proof/check";
import { ProofRun, type RestoreProof } from "../../proof/proof-run";
import { readCatalog, RecoveryPointState } from "../../store/catalog";
import { openStore } from "../../store/open-store";
import {
  type Extraction,
  type RestoredCopy,
  type StreamEngine,
  type StreamExtractRequest,
  type StreamIntoRequest,
  type StreamRequest,
  type StreamWindow,
} from "../engine";
import { extractRows, readRowsOfServer } from "../postgres/extract";
import { type RowsFile } from "../postgres/chosen-rows";
import { accessOf, type PostgresAccess } from "../postgres/libpq";
import { proveLiveCopy } from "../postgres/live-proof";
import { toolsForServer } from "../postgres/tools";
import { openRdsSource } from "./open-source";
import { type RdsSource } from "./rds-source";

/** Whether a throw-away is gone. */
const cleanupCheck = "cleanup";

/** RDS's own backups: its log, which brings any moment of its window back, and its snapshots. */
export const rdsStream: StreamEngine = {
  sourceId: "rds-log",
  mechanism: Mechanism.PointInTimeLog,
  snapshotMechanism: "rds-snapshot",
  targetClass: TargetClass.Rds,
  acceptsPlace: (place) => rdsIdentifierPattern.test(place),
  placeProblem: (place, { rds }) => rds && copyNameProblem(rds, place),
  isThere: ({ rds }) => Promise.resolve(rds !== undefined),
  window: ({ database }) => withSource(database, (source) => source.window()),
  snapshots: ({ database }) => withSource(database, (source) => source.snapshots()),
  restoreTest: (request) => proveThrowAway(request),
  restoreInto,
  extract,
};

/** The rows wait in files until the throw-away is deleted: nobody pays for an instance while they are compared. */
function extract(request: StreamExtractRequest): Promise<Extraction> {
  return extractRows(request, async (run, folder, live) => {
    let rows: readonly RowsFile[] = [];
    let problem: unknown;
    const proof = await run.phase("restore", "restore", () =>
      proveThrowAway(request, async (access) => {
        request.progress.step("reading the rows");
        try {
          rows = await readRowsOfServer(request, access, await toolsForServer(live.serverMajor), folder);
        } catch (error) {
          problem = error;
        }
      }),
    );
    // That the throw-away is still there says nothing about the rows: it is told, and the reaper comes.
    run.checks.push(...proof.checks.filter(({ name }) => name !== cleanupCheck));
    // A name or a condition that is wrong is the person's to mend, and no fault of the copy.
    if (problem !== undefined) throw problem as Error;
    return rows;
  });
}

/** @param onProven while the copy is there, once everything passed */
async function proveThrowAway(
  request: StreamRequest,
  onProven?: (access: PostgresAccess) => Promise<void>,
): Promise<RestoreProof> {
  const { config, database, progress } = request;
  const settings = rdsOf(database);
  const { subnetGroup, securityGroupIds, ttlMinutes = rdsSettingsDefaults.ttlMinutes } = settings.test ?? {};
  const now = new Date();
  const identifier = throwAwayName(database.name, now);
  return withSource(database, async (source) => {
    const asked = await askedFor(source, request);
    const run = new ProofRun(request.signal, "restore");
    let mayBeThere = false;
    const proof = await run.toItsEnd(async () => {
      try {
        const { endpoint } = await restoreAndProve(request, run, {
          source,
          asked,
          choice: {
            identifier,
            point: asked.point,
            purpose: {
              kind: "restore-test",
              database: database.name,
              environment: config.environment ?? jobConfigDefaults.environment,
              expiresAt: new Date(now.getTime() + ttlMinutes * 60_000),
              ...(subnetGroup === undefined ? {} : { subnetGroup }),
              ...(securityGroupIds === undefined ? {} : { securityGroupIds }),
            },
          },
          onMade: () => (mayBeThere = true),
        });
        if (onProven && run.checks.every(({ verdict }) => verdict === "pass")) {
          await onProven(accessAt(database, endpoint));
        }
      } finally {
        // Whatever happened: an instance that nobody deletes costs money until the reaper comes.
        if (mayBeThere) {
          progress.step(`deleting ${identifier}`);
          await source.remove(identifier).then(
            () => run.checks.push(passed(cleanupCheck, `${identifier} is being deleted`)),
            (error: unknown) => {
              const why = `${identifier} was not deleted, \`dr reap\` will: ${messageOf(error)}`;
              // Told as well: where an error ends the run, nobody sees its checks.
              progress.note(why);
              run.checks.push(undecided(cleanupCheck, why));
            },
          );
        }
      }
    });
    return proof;
  });
}

async function restoreInto(request: StreamIntoRequest): Promise<RestoredCopy> {
  const { database, into } = request;
  if (!rdsIdentifierPattern.test(into)) {
    throw new UsageError(
      `--into ${JSON.stringify(into)}: expected the identifier of an RDS instance that does not exist yet: lower-case letters, digits and single dashes, at most 63.`,
    );
  }
  const nameProblem = copyNameProblem(rdsOf(database), into);
  if (nameProblem !== undefined) throw new UsageError(`--into ${into}: ${nameProblem}. Nothing was made.`);
  return withSource(database, async (source) => {
    if (await source.exists(into)) {
      throw new UsageError(`--into ${into}: it exists, and a restore never touches what is there. Name a new one.`);
    }
    const asked = await askedFor(source, request);
    const run = new ProofRun(request.signal, "restore");
    let made: Awaited<ReturnType<typeof restoreAndProve>> | undefined;
    let wasMade = false;
    const proof = await run
      .toItsEnd(async () => {
        made = await restoreAndProve(request, run, {
          source,
          asked,
          choice: { identifier: into, point: asked.point, purpose: { kind: "recovery" } },
          onMade: () => (wasMade = true),
        });
      })
      .catch((error: unknown) => {
        if (wasMade) request.progress.note(`RDS goes on making ${into}, NOT proven: delete it when it is not wanted`);
        throw error;
      });
    const isProven = proof.checks.every(({ verdict }) => verdict === "pass");
    const state = isProven ? "" : ", NOT proven; it is kept so that somebody can look, and costs until it is deleted";
    const endpoint = made?.endpoint;
    const where = endpoint
      ? [
          `the copy is ${endpoint.identifier} at ${endpoint.host}:${endpoint.port}${state}`,
          ...made!.remaining.map((step) => `still to do: ${step}`),
        ].join("\n")
      : wasMade
        ? `${into} was asked for and is not available${state}`
        : "nothing was made";
    return { proof, kept: wasMade ? into : null, where, ...(endpoint ? { endpoint } : {}) };
  });
}

/** What was asked for, and what it can be held against. */
interface Asked {
  readonly point: RdsRestorePoint;
  readonly window: StreamWindow;
  /** The moment whose data the copy should hold. */
  readonly moment: Date;
}

async function askedFor(source: RdsSource, { at, snapshot }: StreamRequest): Promise<Asked> {
  if (snapshot !== undefined) {
    const found = (await source.snapshots()).find(({ id }) => id === snapshot);
    if (!found) throw new NoRecoveryPointError(`RDS has no snapshot ${snapshot}.`);
    if (found.problems.length > 0) throw new OperationError(`${snapshot}: ${found.problems.join("; ")}`);
    return {
      point: { kind: "snapshot", snapshotIdentifier: snapshot },
      window: { from: found.at, to: found.at, sourceBytes: found.sourceBytes },
      moment: found.at,
    };
  }
  const window = await source.window();
  if (at !== undefined && at < window.from) {
    throw new NoRecoveryPointError(
      `Nothing is as old as ${at.toISOString()}: RDS's log begins at ${window.from.toISOString()}.`,
    );
  }
  if (at === undefined) return { point: { kind: "latest" }, window, moment: window.to };
  // Never `latest`, which moves on while somebody reads the plan; and RDS takes moments before its newest one alone.
  const moment = at < window.to ? at : new Date(window.to.getTime() - 1000);
  return { point: { kind: "time", at: moment }, window, moment };
}

interface Attempt {
  readonly source: RdsSource;
  readonly asked: Asked;
  readonly choice: RdsRestoreChoice;
  readonly onMade: () => void;
}

async function restoreAndProve(request: StreamRequest, run: ProofRun, { source, asked, choice, onMade }: Attempt) {
  const { database, progress, signal } = request;
  const copy = await run.phase("restore", "restore", () =>
    source.restore(choice, {
      progress,
      signal,
      onMade: () => {
        run.targetMade = true;
        onMade();
      },
    }),
  );
  run.checks.push(passed("restore", `${choice.identifier} is available`));
  run.recoveredTo = asked.moment;
  run.checks.push(judged("settings", copy.differences, `${copy.compared} settings and tags as they were asked for`));
  await run.phase("prove", "proof", async () =>
    proveLiveCopy(
      {
        access: accessAt(database, copy.endpoint),
        database,
        window: asked.window,
        ...(choice.point.kind === "time" ? { at: asked.moment } : {}),
        earlier: await newestBefore(request, asked.moment),
        isPhysical: database.rds?.clusterIdentifier === undefined,
        progress,
        signal,
      },
      run,
    ),
  );
  return copy;
}

/** As the database's URL says, at another place; TLS is asked for as it is there. */
function accessAt(database: DatabaseConfig, { host, port }: DatabaseEndpoint): PostgresAccess {
  return { ...accessOf(database), host, port };
}

/** A store that cannot be read is no reason to leave a database down. */
async function newestBefore(request: StreamRequest, moment: Date): Promise<Manifest | undefined> {
  const store = openStore(request.config.store);
  try {
    const entries = await readCatalog(store, { database: request.database.name });
    return entries.find(
      ({ state, manifest }) =>
        state === RecoveryPointState.Complete && manifest && !manifest.wal && new Date(manifest.consistentAt) <= moment,
    )?.manifest;
  } catch (error) {
    request.progress.note(`the copy is not held against an earlier recovery point: ${messageOf(error)}`);
    return undefined;
  } finally {
    store.close();
  }
}

async function withSource<Result>(
  database: DatabaseConfig,
  work: (source: RdsSource) => Promise<Result>,
): Promise<Result> {
  const source = openRdsSource(rdsOf(database));
  try {
    return await work(source);
  } finally {
    source.close();
  }
}

function rdsOf({ name, rds }: DatabaseConfig): RdsSettings {
  if (rds) return rds;
  throw new UsageError(
    `Database ${name}: the configuration does not say which instance or cluster it is: "rds": {"instanceIdentifier": "...", "region": "..."}.`,
  );
}

/** At most 63 with what the instances of a cluster add. */
function throwAwayName(database: string, now: Date): string {
  const stamp = compactUtc(now).toLowerCase();
  const name = database.slice(0, 24).replace(/-+/g, "-").replace(/-$/, "");
  return `${throwAwayNamePrefix}${name}-${stamp}-${randomBytes(3).toString("hex")}`;
}
