import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildSync } from "esbuild";
import { skip } from "./support/skip";
import { commandForRoot, installSteps, missingPrograms, systemPrograms } from "../setup/system-packages";

describe("setup", () => {
  it("installs nothing when nothing is missing, and each package once", () => {
    assert.deepEqual(
      missingPrograms(() => true),
      [],
    );
    assert.equal(missingPrograms(() => false).length, systemPrograms.length);
    const [, install] = installSteps(["zstd", "zstd", "sqlite3"]);
    assert.deepEqual(install!.slice(-2), ["zstd", "sqlite3"]);
  });

  it("says what is missing and prints the one command where it may not install", function () {
    this.timeout(20_000);
    // A folder that any user may read, and a path without sudo, zstd and the rest.
    const folder = mkdtempSync(join(tmpdir(), "dr-test-setup-"));
    try {
      buildSync({ entryPoints: ["setup/cli.ts"], bundle: true, platform: "node", outfile: join(folder, "setup.cjs") });
      cpSync("/usr/bin/apt-get", join(folder, "apt-get"));
      spawnSync("chmod", ["-R", "a+rX", folder]);
      const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
      const run = (...args: string[]): ReturnType<typeof spawnSync> =>
        spawnSync(process.execPath, [join(folder, "setup.cjs"), ...args], {
          ...nobody,
          cwd: "/",
          encoding: "utf8",
          env: { PATH: folder },
        });
      const text = run();
      if (text.error) skip(this, `another user may not run ${process.execPath}: ${text.error.message}`);
      assert.equal(text.status, 1, String(text.stderr));
      assert.match(String(text.stdout), /missing: zstd/);
      assert.ok(String(text.stdout).includes(commandForRoot));
      const json = run("--json");
      const { missing, installed } = JSON.parse(String(json.stdout)) as { missing: string[]; installed: string[] };
      assert.ok(missing.includes("zstd") && missing.includes("sqlite3"));
      assert.deepEqual(installed, []);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
