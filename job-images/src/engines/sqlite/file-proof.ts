import { type EvidenceCheck } from "../../../../recovery";
import { OperationError } from "../../errors";
import { failed, judged, passed } from "../../proof/check";
import { type ProofRun } from "../../proof/proof-run";
import { present, readHeader, sidecarsOf } from "./database-file";
import { checkIntegrity } from "./facts";
import { runSql, type SqliteAccess } from "./shell";

/** Whether a restored file is a whole database by itself; ends the run where later checks would only repeat it. */
export async function checkWholeFile(run: ProofRun, access: SqliteAccess): Promise<void> {
  await run.required("file", async () => void run.checks.push(await checkSize(access.path)));
  run.stopAfterFailure();
  // Before anything opens it: opening it would replay them.
  run.checks.push(await checkSidecars(access.path));
  run.stopAfterFailure();
  const { damage, constraints } = await checkIntegrity(access);
  run.checks.push(judged("integrity", [...damage, ...constraints], "integrity_check says ok"));
  if (damage.length > 0) run.stopAfterFailure();
}

async function checkSize(path: string): Promise<EvidenceCheck> {
  const { bytes, pages, pageBytes } = await readHeader(path);
  const detail = `${pages} pages of ${pageBytes} bytes`;
  if (bytes === pages * pageBytes) return passed("file", detail);
  return failed("file", `${bytes} bytes, and its header says ${detail}: the file is not whole`);
}

/** A log of another file beside it would be replayed over it, and integrity_check would still say ok. */
async function checkSidecars(path: string): Promise<EvidenceCheck> {
  const strays = await present(sidecarsOf(path));
  return judged(
    "sidecars",
    strays.map((stray) => `${stray} does not belong to the copy and would be replayed over it`),
    "no -wal, -shm or -journal beside the copy",
  );
}

/** Leaves a file in WAL mode, and with nothing beside it. */
export async function leaveWriteAheadLog(access: SqliteAccess): Promise<void> {
  const said = await runSql({ ...access, writable: true }, "PRAGMA journal_mode = WAL;");
  const left = await present(sidecarsOf(access.path));
  if (said.at(-1) === "wal" && left.length === 0) return;
  throw new OperationError(
    `${access.path} could not be put into WAL mode: it said ${said.join()}, left ${left.join() || "nothing"}.`,
  );
}
