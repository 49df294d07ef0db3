// Compiles the library (components, recovery, policies) into dist/ and bundles the runner into one file.
import { execFileSync } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { build } from "esbuild";

rmSync("dist", { recursive: true, force: true });
rmSync("job-images/dist", { recursive: true, force: true });
execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"], { stdio: "inherit" });
if (existsSync("job-images/src/cli.ts")) {
  await build({
    entryPoints: ["job-images/src/cli.ts"],
    bundle: true,
    platform: "node",
    target: "node20",
    outfile: "job-images/dist/dr.cjs",
    external: ["pg-native"],
    logLevel: "warning",
  });
}
