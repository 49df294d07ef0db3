// Compiles the library (components, recovery, policies) into dist/ and bundles the runner into one file.
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

rmSync("dist", { recursive: true, force: true });
rmSync("job-images/dist", { recursive: true, force: true });
execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"], { stdio: "inherit" });

// Pulumi starts a pack from a folder with its own package.json and PulumiPolicy.yaml.
const { name, version, type } = JSON.parse(readFileSync("policies/package.json", "utf8"));
writeFileSync("dist/policies/package.json", `${JSON.stringify({ name, version, type, main: "index.js" }, null, 2)}\n`);
for (const file of ["PulumiPolicy.yaml", "config"]) {
  cpSync(`policies/${file}`, `dist/policies/${file}`, { recursive: true });
}

if (existsSync("job-images/src/cli.ts")) {
  await build({
    entryPoints: ["job-images/src/cli.ts"],
    bundle: true,
    platform: "node",
    target: "node20",
    outfile: "job-images/dist/dr.cjs",
    external: ["pg-native"],
    banner: { js: "#!/usr/bin/env node" },
    logLevel: "warning",
  });
  chmodSync("job-images/dist/dr.cjs", 0o755);
}
