import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { combineVerdicts, type Manifest, Verdict } from "../../../../recovery";
import { OperationError } from "../../errors";
import { readPasswordFile } from "../../password-file";
import { type RestoreProof } from "../../proof/proof-run";
import { type RestoredCopy, type RestoreIntoRequest, type RestoreTestRequest } from "../engine";
import { restoreAndProve } from "./dump-proof";
import { one } from "./facts";
import { accessOfUrl, describeAccess, type PostgresAccess } from "./libpq";
import { dropUnproven, maintenanceAccess, refuseExisting, renameDatabase } from "./restore";
import { LocalServer, scratchFolder, throwAwaySettings } from "./server";
import { connect } from "./session";
import { type PostgresTools, serverToolsFor, toolsForServer } from "./tools";

/** Restores a dump into a server that is made for it, cut off from everything and gone afterwards. */
export async function restoreDumpIntoThrowAway(request: RestoreTestRequest): Promise<RestoreProof> {
  const { serverMajor, databaseName } = request.manifest.source;
  request.progress.step(`starting a throw-away PostgreSQL ${serverMajor}`);
  const tools = await serverToolsFor(serverMajor);
  const server = await LocalServer.create({
    tools,
    settings: throwAwaySettings,
    isolated: true,
    signal: request.signal,
  });
  try {
    const name = databaseName === "postgres" ? "restored" : databaseName;
    return await restoreAndProve({
      ...request,
      tools,
      target: server.access(name),
      scratch: scratchFolder(server),
      onRestored: () => request.onRestored?.(server.url(name)),
    });
  } finally {
    await server.destroy();
  }
}

/** Restores a dump into a database that does not exist yet; it carries a working name until it is proven. */
export async function restoreDumpInto(request: RestoreIntoRequest): Promise<RestoredCopy> {
  const target = accessOfUrl(request.into, readPasswordFile(request.passwordFile));
  const tools = await toolsForTarget(target, request.manifest);
  const working = { ...target, databaseName: workingName(target.databaseName) };
  const scratch = await mkdtemp(join(request.scratch ?? tmpdir(), "dr-restore-"));
  try {
    const proof = await restoreAndProve({ ...request, target: working, tools, scratch });
    const proven = combineVerdicts(proof.checks.map((check) => check.verdict)) === Verdict.Pass;
    if (proven) await renameDatabase(working, target.databaseName);
    else if (proof.targetMade && !request.keep) await dropUnproven(working);
    const kept = proven ? target.databaseName : request.keep ? working.databaseName : null;
    const where =
      kept === null
        ? "nothing is left of the copy"
        : `the copy is ${describeAccess({ ...target, databaseName: kept })}`;
    return { proof, kept, where };
  } catch (error) {
    await dropUnproven(working).catch(() => undefined);
    throw error;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function toolsForTarget(target: PostgresAccess, manifest: Manifest): Promise<PostgresTools> {
  const client = await connect(maintenanceAccess(target), { applicationName: "dr restore" });
  try {
    const { major } = await one<{ major: number }>(
      client,
      "SELECT current_setting('server_version_num')::int / 10000 AS major",
    );
    if (major < manifest.source.serverMajor) {
      throw new OperationError(
        `${describeAccess(target)} is PostgreSQL ${major} and the backup is of ${manifest.source.serverMajor}: restore into ${manifest.source.serverMajor} or newer.`,
      );
    }
    await refuseExisting(client, target);
    return await toolsForServer(major);
  } finally {
    await client.end();
  }
}

/** PostgreSQL cuts names at 63 bytes; a name of its own cannot be mistaken for the real one. */
function workingName(databaseName: string): string {
  return `${Buffer.from(databaseName)
    .subarray(0, 36)
    .toString("utf8")
    .replace(/\uFFFD/g, "")} restoring ${randomBytes(4).toString("hex")}`;
}
