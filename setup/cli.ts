import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { commandForRoot, installSteps, missingPrograms, Privilege } from "./system-packages";

const clusterSetting = "/etc/postgresql-common/createcluster.d/no-main-cluster.conf";
const servicePolicy = "/usr/sbin/policy-rc.d";

function exists(program: string): boolean {
  if (!program.startsWith("/")) {
    return (process.env.PATH ?? "").split(delimiter).some((folder) => existsSync(join(folder, program)));
  }
  const star = program.indexOf("*");
  if (star === -1) return existsSync(program);
  const root = dirname(program.slice(0, star + 1));
  const rest = program.slice(star + 1);
  return existsSync(root) && readdirSync(root).some((version) => existsSync(join(root, version, rest)));
}

function privilege(): Privilege {
  if (process.getuid?.() === 0) return Privilege.Root;
  const sudo = spawnSync("sudo", ["-n", "true"], { stdio: "ignore" });
  return sudo.status === 0 ? Privilege.Sudo : Privilege.None;
}

function install(packages: readonly string[], as: Privilege): boolean {
  if (as === Privilege.Sudo) {
    // The steps below write two files as root; the whole of setup is run again as root instead.
    return (
      spawnSync("sudo", ["-n", "env", `PATH=${process.env.PATH}`, "npm", "run", "--silent", "setup"], {
        stdio: ["ignore", 2, 2],
      }).status === 0
    );
  }
  const holdServices = !existsSync(servicePolicy);
  if (!exists("/usr/lib/postgresql/*/bin/initdb")) {
    mkdirSync(dirname(clusterSetting), { recursive: true });
    writeFileSync(clusterSetting, "create_main_cluster = false\n");
  }
  if (holdServices) writeFileSync(servicePolicy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    return installSteps(packages).every(([program, ...args]) => {
      const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
      return spawnSync(program!, args, { stdio: ["ignore", 2, 2], env }).status === 0;
    });
  } finally {
    if (holdServices) rmSync(servicePolicy, { force: true });
  }
}

function main(): number {
  const json = process.argv.includes("--json");
  const say = (text: string): void => void (json ? process.stderr : process.stdout).write(`${text}\n`);
  const missing = missingPrograms(exists);
  const packages = [...new Set(missing.map((each) => each.package))];
  const done = (installed: readonly string[], exitCode: number): number => {
    const left = missingPrograms(exists).map((each) => each.package);
    if (json) process.stdout.write(`${JSON.stringify({ missing: [...new Set(left)], installed }, undefined, 2)}\n`);
    return exitCode;
  };
  if (missing.length === 0) {
    say("Everything that npm cannot bring is installed.");
    return done([], 0);
  }
  for (const { package: name, neededFor } of missing) say(`missing: ${name} (${neededFor})`);
  if (!exists("apt-get")) {
    say(`This is no Debian: install the equivalents of ${packages.join(", ")} yourself.`);
    return done([], 1);
  }
  const as = privilege();
  if (as === Privilege.None) {
    say(`Installing needs root. Run:\n\n  ${commandForRoot}\n`);
    return done([], 1);
  }
  say(`Installing from Debian: ${packages.join(", ")}`);
  const succeeded = install(packages, as) && missingPrograms(exists).length === 0;
  say(succeeded ? "Installed." : "Not everything could be installed; what apt-get said is above.");
  return done(succeeded ? packages : [], succeeded ? 0 : 1);
}

process.exitCode = main();
