import { join } from "node:path";
import { inScratchFolder } from "../../process/scratch-folder";
import { type RestoreProof } from "../../proof/proof-run";
import { type RestoredCopy, type RestoreIntoRequest, type RestoreTestRequest } from "../engine";
import { restoreAndProve } from "./copy-proof";
import { restoreIntoFile } from "./into-file";

/** Restores a copy into a folder of its own that is gone afterwards. */
export function restoreCopyIntoScratch(request: RestoreTestRequest): Promise<RestoreProof> {
  return inScratchFolder((folder) => restoreAndProve({ ...request, path: join(folder, "restored.db") }));
}

/** Restores a copy into the file that a person named. */
export function restoreCopyInto(request: RestoreIntoRequest): Promise<RestoredCopy> {
  return restoreIntoFile(request, request.manifest.source.bytes, (path, publish) =>
    restoreAndProve({ ...request, path, publish: ({ owner }) => publish(owner) }),
  );
}
