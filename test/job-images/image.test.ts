import assert from "node:assert/strict";
import { chmodSync, chownSync, copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type * as kubernetes from "@pulumi/kubernetes";
import { BackupJob, type JobArgs, RestoreTestJob } from "../../components";
import {
  type ContainerResult,
  debianBase,
  litestreamTarball,
  nodeImage,
  podman,
  podmanOutput,
  whyNoContainers,
} from "../support/containers";
import { validJobArgs } from "../support/job-arguments";
import { makeDatabase, temporaryFolder, withClient } from "../support/postgres";
import { register } from "../support/registered-resources";
import { runnerBundle } from "../support/runner";
import { skip } from "../support/skip";

type CronJob = kubernetes.types.output.batch.v1.CronJob;
type PodSpec = kubernetes.types.output.core.v1.PodSpec;

const image = "localhost/dr-test:1";
const password = `it is'nt "simple"`;

/** A pod as a component renders it, and the folders of this machine that stand in for its volumes. */
interface RenderedPod {
  readonly spec: PodSpec;
  readonly folders: ReadonlyMap<string, string>;
}

async function renderPod(name: string, program: () => void): Promise<RenderedPod> {
  const made = await register(program);
  const { spec } = (made.inputs("kubernetes:batch/v1:CronJob", name) as unknown as CronJob).spec.jobTemplate.spec
    .template;
  const { data } = made.inputs("kubernetes:core/v1:ConfigMap", name) as { data: Record<string, string> };
  const group = spec.securityContext.fsGroup;
  const folders = new Map<string, string>();
  for (const volume of spec.volumes) {
    if (volume.emptyDir?.medium === "Memory") continue;
    const folder = temporaryFolder();
    folders.set(volume.name, folder);
    // As the kubelet does it: root's, and the pod's group may write where anybody may.
    chownSync(folder, 0, group);
    chmodSync(folder, volume.ephemeral === undefined ? 0o755 : 0o2775);
    if (volume.configMap !== undefined) {
      for (const [file, text] of Object.entries(data)) writeFileSync(join(folder, file), text);
    }
    for (const { path } of volume.secret?.items ?? []) {
      writeFileSync(join(folder, path), `${password}\n`, { mode: volume.secret.defaultMode });
      chownSync(join(folder, path), 0, group);
    }
  }
  return { spec, folders };
}

/** What podman has to be told to run a container as the kubelet would. */
function optionsOf({ spec, folders }: RenderedPod): string[] {
  const [container] = spec.containers;
  const { runAsUser, runAsGroup, seccompProfile } = spec.securityContext;
  const { capabilities, allowPrivilegeEscalation, readOnlyRootFilesystem, privileged } = container!.securityContext;
  return [
    ...["--user", `${runAsUser}:${runAsGroup}`],
    ...capabilities.drop.flatMap((name) => ["--cap-drop", name]),
    ...(allowPrivilegeEscalation ? [] : ["--security-opt", "no-new-privileges"]),
    ...(seccompProfile?.type === "RuntimeDefault" ? [] : ["--security-opt", "seccomp=unconfined"]),
    ...(readOnlyRootFilesystem ? ["--read-only", "--read-only-tmpfs=false"] : []),
    ...(privileged ? ["--privileged"] : []),
    ...container!.env.flatMap(({ name, value }) => ["--env", `${name}=${value}`]),
    ...container!.volumeMounts.flatMap(({ name, mountPath, readOnly }) => {
      const folder = folders.get(name);
      if (folder !== undefined) return ["--volume", `${folder}:${mountPath}${readOnly ? ":ro" : ""}`];
      const limit = spec.volumes.find((volume) => volume.name === name)!.emptyDir.sizeLimit;
      return ["--tmpfs", `${mountPath}:rw,mode=1777,size=${limit.replace(/i$/, "").toLowerCase()}`];
    }),
  ];
}

/** Runs a container on the host's network, where the databases of the tests are. */
function run(options: readonly string[], command: readonly string[], of = image): Promise<ContainerResult> {
  const [entrypoint, ...words] = command;
  return podman("run", "--rm", "--network", "host", "--entrypoint", entrypoint!, ...options, of, ...words);
}

/** What a process in the container could do that it should not. */
async function postureProblems(options: readonly string[]): Promise<string[]> {
  const looking = `
    id -u; grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status | tr -d '\\t'
    find / -xdev -writable -not -type l -not -path /scratch 2>/dev/null | sed 's/^/writable /'
    touch /scratch/here && echo scratch`;
  const { stdout } = await run(options, ["sh", "-c", looking]);
  const lines = stdout.trim().split("\n");
  const wanted = [
    "10001",
    "CapEff:0000000000000000",
    "CapBnd:0000000000000000",
    "NoNewPrivs:1",
    "Seccomp:2",
    "scratch",
  ];
  return [
    ...wanted.filter((line) => !lines.includes(line)).map((line) => `not ${line}`),
    ...lines.filter((line) => line.startsWith("writable ")),
  ];
}

/** What is wrong with an image by itself, before anybody restricts it. */
async function imageProblems(of: string): Promise<string[]> {
  const looking = `
    find / -xdev -type f -perm /6000 | sed 's/^/setuid /'
    find / -xdev \\( -type d -o -type f \\) \\( -perm -0002 -o -user 10001 \\) -not -path /scratch | sed 's/^/writable /'
    find / -xdev -type f \\( -name '*.key' -o -name '.npmrc' -o -name '.pgpass' -o -name 'credentials' -o -name 'id_*' \\) -not -path '/usr/*' | sed 's/^/secret /'
    grep -rlE 'BEGIN [A-Z ]*PRIVATE KEY' /etc /home /root /scratch /var /usr/local/bin/dr | sed 's/^/secret /'
    find /var/lib/apt/lists /var/cache/apt -type f | sed 's/^/left over /'`;
  const { stdout } = await run(["--user", "0"], ["sh", "-c", looking], of);
  const { User } = (JSON.parse(await podmanOutput("inspect", of)) as { Config: { User: string } }[])[0]!.Config;
  const history = await podmanOutput("history", "--no-trunc", "--format", "{{.CreatedBy}}", of);
  return [
    ...stdout.split("\n").filter((line) => line !== ""),
    ...(User === "10001:10001" ? [] : [`user ${User}`]),
    ...(/password|secret|token|AKIA/i.test(history) ? ["a secret in its history"] : []),
  ];
}

describe("the job image", function () {
  this.timeout(600_000);
  let context: string;
  let args: JobArgs;
  let store: string;
  const buildArguments = new Map<string, string>();

  before(async function () {
    const reason = whyNoContainers();
    if (reason !== undefined) skip(this, reason);
    context = temporaryFolder();
    mkdirSync(join(context, "job-images", "dist"), { recursive: true });
    copyFileSync(".dockerignore", join(context, ".dockerignore"));
    copyFileSync("job-images/Dockerfile", join(context, "job-images", "Dockerfile"));
    copyFileSync(runnerBundle(), join(context, "job-images", "dist", "dr.cjs"));
    writeFileSync(join(context, "not-for-the-image.key"), "secret");
    const litestream = litestreamTarball();
    copyFileSync(litestream.path, join(context, "job-images", "litestream.tar.gz"));
    buildArguments
      .set("BASE_IMAGE", await debianBase())
      .set("NODE_IMAGE", await nodeImage())
      .set("POSTGRES_MAJORS", "15")
      .set("POSTGRES_PACKAGES", "debian")
      .set("LITESTREAM_SHA256", litestream.sha256);
    await build(image, buildArguments);

    const server = await makeDatabase(
      "imaged",
      "CREATE TABLE public.users (id bigint PRIMARY KEY, name text); INSERT INTO public.users SELECT i, 'u' || i FROM generate_series(1, 500) i",
    );
    await withClient(server, "imaged", (client) =>
      client.query("DROP ROLE IF EXISTS imaged_backup; CREATE ROLE imaged_backup LOGIN IN ROLE pg_read_all_data"),
    );
    store = temporaryFolder();
    chownSync(store, 10001, 10001);
    const url = `postgresql://imaged_backup@127.0.0.1:${server.access().port}/imaged`;
    args = {
      ...validJobArgs,
      storeUrl: `file://${store}`,
      databases: [{ ...validJobArgs.databases[0]!, name: "imaged", url }],
    };
  });

  function build(tag: string, settings: ReadonlyMap<string, string>): Promise<string> {
    const given = [...settings].flatMap(([name, value]) => ["--build-arg", `${name}=${value}`]);
    const file = join(context, "job-images", "Dockerfile");
    return podmanOutput("build", "--network", "host", "--file", file, ...given, "--tag", tag, context);
  }

  const withStore = (pod: RenderedPod): string[] => [...optionsOf(pod), "--volume", `${store}:${store}`];
  const backupPod = () => renderPod("architect-backup", () => void new BackupJob("architect-backup", args));
  const testPod = () => renderPod("architect-proof", () => void new RestoreTestJob("architect-proof", args));

  it("is no root's, holds no setuid program, no secret and nothing that may be written but its scratch", async () => {
    assert.deepEqual(await imageProblems(image), []);
    const { stdout } = await run(
      [],
      ["sh", "-c", "node --version; litestream version; sqlite3 --version; zstd --version; ls /usr/lib/postgresql"],
    );
    console.log(`      ${stdout.trim().split("\n").join("; ")}`);
    const [size] = JSON.parse(await podmanOutput("inspect", image)) as { Size: number }[];
    console.log(`      ${Math.round(size!.Size / 1e6)} MB with PostgreSQL 15`);
  });

  it("that is spoiled is found out: root, a setuid program, a key", async () => {
    const folder = temporaryFolder();
    const spoil =
      "cp /bin/true /usr/local/bin/up && chmod 4755 /usr/local/bin/up && chmod 0777 /opt && echo x >/etc/ssl/private/own.key";
    writeFileSync(join(folder, "Dockerfile"), `FROM ${image}\nUSER root\nENV API_TOKEN=x\nRUN ${spoil}\n`);
    await podmanOutput("build", "--quiet", "--tag", "localhost/dr-test-spoiled:1", folder);
    assert.deepEqual(await imageProblems("localhost/dr-test-spoiled:1"), [
      "setuid /usr/local/bin/up",
      "writable /opt",
      "secret /etc/ssl/private/own.key",
      "user root",
      "a secret in its history",
    ]);
  });

  it("is not built with another Litestream than the one that was named", async () => {
    const other = new Map(buildArguments).set("LITESTREAM_SHA256", "0".repeat(64));
    await assert.rejects(build("localhost/dr-test-other:1", other), /checksum did NOT match/);
  });

  it("runs with the rights that the component gives its pod, and notices any that are more", async () => {
    const pod = await backupPod();
    const options = optionsOf(pod);
    assert.deepEqual(await postureProblems(options), []);
    const without = (name: string, values = 0): string[] => {
      const at = options.indexOf(name);
      assert.ok(at >= 0, `the component does not ask for ${name}`);
      return options.filter((_option, index) => index < at || index > at + values);
    };
    const writable = await postureProblems([...without("--read-only"), "--user", "0"]);
    assert.ok(writable.includes("writable /etc"), writable.join());
    assert.ok((await postureProblems(without("--security-opt", 1))).includes("not NoNewPrivs:1"));
    assert.ok((await postureProblems(without("--cap-drop", 1))).some((problem) => problem.startsWith("not CapBnd")));
    assert.ok((await postureProblems([...options, "--user", "0"])).includes("not 10001"));
    const unmounted = options.map((option) => option.replace(/:\/scratch$/, ":/elsewhere"));
    assert.ok((await postureProblems(unmounted)).includes("not scratch"));
  });

  it("[guide 7, 11] takes a backup and proves it as the components run it", async () => {
    const version = await run(optionsOf(await backupPod()), ["dr", "--version"]);
    assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/);

    const pod = await backupPod();
    const taken = await run(withStore(pod), pod.spec.containers[0]!.command);
    assert.equal(taken.exitCode, 0, taken.stderr + taken.stdout);
    const { verdict, backups } = JSON.parse(taken.stdout) as { verdict: string; backups: { manifest: string }[] };
    assert.equal(verdict, "pass");
    assert.ok(readFileSync(join(store, backups[0]!.manifest)).length > 0);

    const proof = await testPod();
    const proven = await run(withStore(proof), proof.spec.containers[0]!.command);
    const result = JSON.parse(proven.stdout) as { checks: { name: string; verdict: string; detail: string }[] };
    assert.deepEqual(
      result.checks.filter((check) => check.verdict === "fail"),
      [],
      proven.stderr,
    );
    const scratch = proof.folders.get("scratch")!;
    assert.deepEqual(readdirSync(scratch), [], "left something in its scratch volume");

    const doctor = await run(withStore(await testPod()), ["dr", "doctor", "--json"]);
    const { checks } = JSON.parse(doctor.stdout) as { checks: { name: string; verdict: string }[] };
    for (const name of ["job store", "job zstd", "imaged tools", "imaged locale"]) {
      assert.equal(checks.find((check) => check.name === name)?.verdict, "pass", `${name}: ${doctor.stdout}`);
    }
  });
});
