import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { openSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { isInstalled } from "./installed";
import { freePort } from "./free-port";
import { waitFor } from "./wait-for";

/** Access to the gateway as one of its users. */
export interface RadosUser {
  readonly name: string;
  /** As bucket policies name it. */
  readonly arn: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

/** A running S3 server with versions, object lock, bucket policies and lifecycle that are really enforced. */
export interface RadosGateway {
  readonly endpoint: string;
  /** Owns the buckets. */
  readonly admin: RadosUser;
  createUser(name: string): Promise<RadosUser>;
  /** A second key of a user. */
  createKey(user: RadosUser): Promise<RadosUser["credentials"]>;
  /** Does now what lifecycles are due for; by itself it gets round to it, on a busy machine late. */
  runLifecycles(): Promise<void>;
}

const programs: readonly string[] = [
  "radosgw",
  "radosgw-admin",
  "ceph",
  "ceph-mon",
  "ceph-osd",
  "ceph-authtool",
  "monmaptool",
];

/** The key that it encrypts with for whoever names it; moto makes one of the same name when it is seeded for it. */
export const dataKeyArn = "arn:aws:kms:us-east-1:123456789012:key/cd613e30-d8f1-4adf-91b7-584a2265b1f5";

/** How many seconds a lifecycle's "day" takes here. */
export const lifecycleDaySeconds = 2;

/** Why there can be no gateway on this machine; `undefined` when there can. */
export function whyNoRadosgw(): string | undefined {
  const missing = programs.filter((program) => !isInstalled(program));
  return missing.length === 0
    ? undefined
    : `radosgw is not installed (no ${missing.join(", ")}); npm run setup brings it`;
}

let running: Promise<{ gateway: RadosGateway; stop: () => Promise<void> }> | undefined;

/** The gateway that all tests of this run share; the first one that asks starts it, which takes some seconds. */
export async function radosgw(): Promise<RadosGateway> {
  running ??= start();
  return (await running).gateway;
}

after(async function () {
  this.timeout(60_000);
  await (await running?.catch(() => undefined))?.stop();
});

async function start(): Promise<{ gateway: RadosGateway; stop: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), "dr-radosgw-"));
  const daemons: ChildProcess[] = [];
  const killAll = (): void => daemons.forEach((daemon) => daemon.kill("SIGKILL"));
  process.once("exit", killAll);
  // Nothing in here outlives the tests, so there is nothing to shut down in order.
  const stop = async (): Promise<void> => {
    process.off("exit", killAll);
    const ended = daemons
      .filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)
      .map((daemon) => once(daemon, "exit"));
    killAll();
    await Promise.all(ended);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    return { gateway: await startIn(folder, daemons), stop };
  } catch (error) {
    const logs = await Promise.all(
      programs.map((name) => readFile(join(folder, "log", `${name}.out`), "utf8").catch(() => "")),
    );
    await stop();
    throw new Error(`radosgw did not start. ${logs.join("").slice(-2000)}`, { cause: error });
  }
}

async function startIn(folder: string, daemons: ChildProcess[]): Promise<RadosGateway> {
  const [monPort, port] = [await freePort(), await freePort()];
  const fsid = randomUUID();
  const conf = join(folder, "ceph.conf");
  for (const name of ["mon", "osd", "rgw", "run", "log"]) await mkdir(join(folder, name));
  await writeFile(conf, configuration(folder, fsid, monPort, port));
  const env = { ...process.env, CEPH_CONF: conf, CEPH_ARGS: `-c ${conf}` };
  const run = async (program: string, ...args: string[]): Promise<string> => {
    // Without an OSD the tools would wait for ever.
    const { stdout } = await promisify(execFile)(program, args, { env, timeout: 60_000, killSignal: "SIGKILL" });
    return stdout;
  };
  const daemon = (program: string, ...args: string[]): ChildProcess => {
    const log = openSync(join(folder, "log", `${program}.out`), "a");
    const child = spawn(program, ["-f", ...args], { env, stdio: ["ignore", log, log] });
    daemons.push(child);
    return child;
  };

  const keyring = join(folder, "keyring");
  const all = ["--cap", "mon", "allow *", "--cap", "osd", "allow *", "--cap", "mgr", "allow *"];
  await run("ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *");
  for (const name of ["client.admin", "client.rgw"])
    await run("ceph-authtool", keyring, "--gen-key", "-n", name, ...all);
  const monmap = join(folder, "monmap");
  await run("monmaptool", "--create", "--clobber", "--addv", "a", `[v1:127.0.0.1:${monPort}]`, "--fsid", fsid, monmap);
  await run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap, "--keyring", keyring);
  daemon("ceph-mon", "-i", "a");
  // In this order: an OSD without a quorum dies, and a gateway without an OSD gives up.
  await waitFor("the monitor's quorum", 60, async () => (await run("ceph", "--connect-timeout", "5", "-s")) !== "");
  const osdUuid = randomUUID();
  // Just after its quorum a monitor may know nobody's rights yet, one start in a hundred on a busy machine, and refuses
  // what it will allow. Asked again for the same OSD, it gives the same one.
  await waitFor("the monitor to make an OSD", 60, async () => (await run("ceph", "osd", "new", osdUuid)) !== "");
  await run("ceph-osd", "--mkfs", "-i", "0", "--osd-uuid", osdUuid, "--monmap", monmap);
  let osd = daemon("ceph-osd", "-i", "0");
  await waitFor("the OSD", 90, async () => {
    // On a busy machine it comes too early all the same, and ends with "wrong fsid".
    if (osd.exitCode !== null || osd.signalCode !== null) osd = daemon("ceph-osd", "-i", "0");
    return (await run("ceph", "osd", "stat")).includes("1 up");
  });
  daemon("radosgw", "-n", "client.rgw");
  const endpoint = `http://127.0.0.1:${port}`;
  await waitFor("the gateway", 120, async () => (await fetch(endpoint)).ok);

  const create = async (what: string, name: string, ...more: string[]): Promise<RadosUser> => {
    const credentials = {
      accessKeyId: randomBytes(10).toString("hex").toUpperCase(),
      secretAccessKey: randomBytes(20).toString("hex"),
    };
    const keys = ["--access-key", credentials.accessKeyId, "--secret-key", credentials.secretAccessKey];
    await run("radosgw-admin", what, "create", "--uid", name, ...more, ...keys);
    return { name, arn: `arn:aws:iam:::user/${name}`, credentials };
  };
  const createUser = (name: string) => create("user", name, "--display-name", name);
  const createKey = async ({ name }: RadosUser) => (await create("key", name, "--key-type", "s3")).credentials;
  const runLifecycles = async (): Promise<void> => void (await run("radosgw-admin", "lc", "process"));
  return { endpoint, admin: await createUser("bucket-owner"), createUser, createKey, runLifecycles };
}

/** A monitor, one OSD in memory and a gateway, all on the loopback interface. */
function configuration(folder: string, fsid: string, monPort: number, port: number): string {
  return `
[global]
fsid = ${fsid}
mon host = [v1:127.0.0.1:${monPort}]
mon initial members = a
public network = 127.0.0.0/8
cluster network = 127.0.0.0/8
public addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
mon warn on pool no redundancy = false
mon allow pool size one = true
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
ms bind ipv6 = false
ms bind msgr2 = false
run dir = ${folder}/run
admin socket = ${folder}/run/$name.asok
pid file = ${folder}/run/$name.pid
log file = ${folder}/log/$name.log
mon cluster log file = ${folder}/log/cluster.log
keyring = ${folder}/keyring
crash dir = ${folder}/run
[mon.a]
host = localhost
mon addr = 127.0.0.1:${monPort}
mon data = ${folder}/mon
mon data avail crit = 1
[osd]
osd data = ${folder}/osd
osd objectstore = memstore
memstore device bytes = 4294967296
[client.rgw]
rgw data = ${folder}/rgw
rgw frontends = beast endpoint=127.0.0.1:${port}
rgw enable usage log = false
rgw lc debug interval = ${lifecycleDaySeconds}
rgw lc lock max time = 10
rgw crypt s3 kms backend = testing
rgw crypt s3 kms encryption keys = ${dataKeyArn}=YmluCmJvb3N0CmJvb3N0LWJ1aWxkCmNlcGguY29uZgo=
rgw crypt require ssl = false
rgw multipart min part size = 65536
`;
}
