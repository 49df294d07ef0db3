import assert from "node:assert/strict";
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { findPostgresTools, toolsForServer } from "../../../job-images/src/engines/postgres/tools";
import { temporaryFolder } from "../../support/postgres";

describe("client tools", () => {
  it("[guide 7] are never older than the server", async () => {
    await assert.rejects(
      toolsForServer(99),
      /PostgreSQL 99 and the newest client tools here are \d+.*install postgresql-client-99/,
    );
  });

  it("are the programs themselves, and the first of a version on the path", async () => {
    const root = temporaryFolder();
    const pathBefore = process.env.PATH;
    const toolsOf = (name: string, version: string): string => {
      const folder = join(root, name);
      mkdirSync(folder);
      for (const program of ["pg_dump", "pg_restore"]) {
        writeFileSync(join(folder, program), `#!/bin/sh\necho "${program} (PostgreSQL) ${version}"\n`, { mode: 0o755 });
      }
      return folder;
    };
    try {
      const folders = [toolsOf("first", "77.1"), toolsOf("second", "77.2"), toolsOf("wrapped", "78.1")];
      renameSync(join(root, "wrapped", "pg_dump"), join(root, "pg_wrapper"));
      symlinkSync(join(root, "pg_wrapper"), join(root, "wrapped", "pg_dump"));
      process.env.PATH = [pathBefore, ...folders].join(delimiter);
      const found = await findPostgresTools();
      assert.equal(found.find(({ major }) => major === 77)?.version, "77.1");
      assert.ok(!found.some(({ major }) => major === 78), "Debian's wrapper is no tool of its own");
    } finally {
      process.env.PATH = pathBefore;
    }
  });
});
