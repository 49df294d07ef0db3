// Runs every test in groups, as many at a time as there are cores, and ends with one plain line that any CI can read.
// Groups and not mocha's workers: a group shares its servers, and its hooks end them.
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { availableParallelism } from "node:os";

/** Heavy ones first. What no group names is in the last one, so that no test can be forgotten. */
const groups = [
  // A gateway of its own: its lifecycles get round to a bucket late when many others have one.
  ["test/job-images/store/catalog-versions"],
  ["test/job-images/engines/", "test/job-images/bad-days/", "test/job-images/sqlite/"],
  ["test/job-images/"],
  ["test/"],
];

const remaining = new Set(
  readdirSync("test", { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => `test/${name}`)
    .sort(),
);
const waiting = groups.map((prefixes) => {
  const files = [...remaining].filter((file) => prefixes.some((prefix) => file.startsWith(prefix)));
  for (const file of files) remaining.delete(file);
  return { name: prefixes.join(" "), files };
});

const totals = { passed: 0, failed: 0, skipped: 0 };
/** What mocha says of its failures, again at the very end: the log of a CI is often read by its tail alone. */
const failures = [];
let broken = false;

async function runGroup({ name, files }) {
  const startedAt = Date.now();
  console.log(`running ${files.length} files of ${name}`);
  const output = await new Promise((resolve) => {
    const mocha = spawn(
      process.execPath,
      ["node_modules/mocha/bin/mocha.js", process.stdout.isTTY ? "--color" : "--no-color", ...files],
      {
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    let text = "";
    for (const stream of [mocha.stdout, mocha.stderr]) stream.on("data", (chunk) => (text += chunk));
    mocha.on("close", (code) => {
      if (code !== 0) broken = true;
      resolve(text);
    });
  });
  const counts = /^(\d+) passed, (\d+) failed, (\d+) skipped$/m.exec(output);
  // A group that did not say how it ended has failed, whatever its exit code was.
  if (!counts) broken = true;
  ["passed", "failed", "skipped"].forEach((key, index) => (totals[key] += Number(counts?.[index + 1] ?? 0)));
  const [failing] = /^ {2}\d+ failing$[^]*/m.exec(output) ?? [];
  if (failing || !counts) failures.push(`\n===== ${name} =====\n${(failing ?? output.slice(-5000)).trimEnd()}`);
  const seconds = Math.round((Date.now() - startedAt) / 1000);
  console.log(`\n===== ${name}: ${seconds} s =====\n${output.trimEnd()}`);
}

async function work() {
  for (let group = waiting.shift(); group; group = waiting.shift()) await runGroup(group);
}
await Promise.all(Array.from({ length: Math.min(groups.length, availableParallelism()) }, work));
if (broken && totals.failed === 0) totals.failed = 1;
for (const failing of failures) console.log(failing);
process.exitCode = totals.failed > 0 ? 1 : 0;
console.log(`\n${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
