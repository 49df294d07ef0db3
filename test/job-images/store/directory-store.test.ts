import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, readFile, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { DirectoryStore } from "../../../job-images/src/store/directory-store";
import { StoreError } from "../../../job-images/src/store/object-store";
import { openStore } from "../../../job-images/src/store/open-store";
import { temporaryFolder } from "../../support/postgres";
import { skip } from "../../support/skip";
import { storeContract } from "./contract";

async function filesOf(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
}

describe("directory store", () => {
  let scratch: string;
  let root: string;

  beforeEach(() => {
    scratch = temporaryFolder();
    root = join(scratch, "store");
  });

  describe("contract", () => {
    storeContract(() =>
      Promise.resolve({
        store: new DirectoryStore(root),
        traits: { unfinished: () => filesOf(join(root, ".incoming")) },
      }),
    );
  });

  it("is opened by its URL, and a wrong URL names every problem", () => {
    assert.ok(openStore(`file://${root}`) instanceof DirectoryStore);
    assert.throws(() => openStore("file:///?x=1"), /root of the file system.*takes no parameters/);
  });

  it("is empty while its root is missing, creates it on the first put, and not without its parent", async () => {
    const store = new DirectoryStore(root);
    assert.equal(await store.head("parts/a"), undefined);
    for await (const object of store.list("")) assert.fail(object.key);
    await store.put("parts/a", Buffer.from("a"));
    assert.equal(await readFile(join(root, "parts/a"), "utf8"), "a");

    const lost = new DirectoryStore(join(scratch, "unmounted", "store"));
    await assert.rejects(lost.put("parts/a", Buffer.from("a")), /unmounted.*is the disk mounted/);
    await assert.rejects(async () => {
      for await (const object of lost.list("parts/")) assert.fail(object.key);
    }, /is the disk mounted/);
  });

  it("says so when its root is a file", async () => {
    await writeFile(root, "");
    await assert.rejects(new DirectoryStore(root).put("parts/a", Buffer.from("a")), /is not a directory/);
  });

  it("follows no symbolic link", async () => {
    const store = new DirectoryStore(root);
    await store.put("parts/a/good", Buffer.from("good"));
    await mkdir(join(scratch, "outside"));
    await writeFile(join(scratch, "outside", "secret"), "secret");
    await symlink(join(scratch, "outside"), join(root, "parts", "link"));
    await symlink(join(scratch, "outside", "secret"), join(root, "parts", "file"));
    for (const key of ["parts/link/secret", "parts/file"]) {
      await assert.rejects(store.get(key), /symbolic link/);
      await assert.rejects(store.put(key, Buffer.from("x")), /symbolic link/);
    }
    const found: string[] = [];
    for await (const object of store.list("")) found.push(object.key);
    assert.deepEqual(found, ["parts/a/good"]);
    assert.equal(await readFile(join(scratch, "outside", "secret"), "utf8"), "secret");
  });

  it("sweeps what killed writers left, and nothing of those that live", async () => {
    const store = new DirectoryStore(root);
    const victim = spawn(process.execPath, [
      "-r",
      "tsx/cjs",
      "-e",
      `const { DirectoryStore } = require("./job-images/src/store/directory-store.ts");
       const stream = new (require("node:stream").Readable)({ read() {} });
       stream.push(Buffer.alloc(70000));
       new DirectoryStore(${JSON.stringify(root)}).put("parts/victim", stream);
       const incoming = ${JSON.stringify(join(root, ".incoming"))};
       const { existsSync, readdirSync } = require("node:fs");
       setInterval(() => existsSync(incoming) && readdirSync(incoming).length && console.log("grows"), 20);`,
    ]);
    await once(victim.stdout, "data");
    const [left] = await filesOf(join(root, ".incoming"));
    assert.ok(left?.includes(`.${victim.pid}.`), left);
    await store.put("parts/a", Buffer.from("a"));
    assert.deepEqual(await filesOf(join(root, ".incoming")), [left], "the writer is alive");
    victim.kill("SIGKILL");
    await once(victim, "exit");

    const elsewhere = join(root, ".incoming", `other-host-1.${process.pid}.0123456789abcdef`);
    await writeFile(elsewhere, "grows on another host");
    await store.put("parts/b", Buffer.from("b"));
    assert.deepEqual(await filesOf(join(root, ".incoming")), [`other-host-1.${process.pid}.0123456789abcdef`]);
    await utimes(elsewhere, new Date(0), new Date(0));
    await store.put("parts/c", Buffer.from("c"));
    assert.deepEqual(await filesOf(join(root, ".incoming")), []);
    assert.equal(await store.head("parts/victim"), undefined);
  });

  it("says who may not write, when the directory belongs to somebody else", async function () {
    if (process.getuid?.() !== 0) {
      skip(this, "needs root to run a writer as another user");
    }
    await mkdir(root, { mode: 0o755 });
    process.seteuid!(65534);
    try {
      await assert.rejects(
        new DirectoryStore(root).put("parts/a", Buffer.from("a")),
        (error: Error) => error instanceof StoreError && /Cannot write parts\/a in .*user id/.test(error.message),
      );
    } finally {
      process.seteuid!(0);
    }
    assert.deepEqual(await readdir(root), []);
  });

  it("keeps nothing of an object that did not fit on the disk, and says that the disk is full", async function () {
    await mkdir(root);
    const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", root], { encoding: "utf8" });
    if (mounted.status !== 0) {
      skip(this, "needs to mount a small file system, which takes root");
    }
    try {
      const store = new DirectoryStore(root);
      await store.put("parts/small", Buffer.alloc(300_000));
      await assert.rejects(store.put("parts/large", Readable.from([Buffer.alloc(900_000)])), /the disk is full/);
      assert.equal(await store.head("parts/large"), undefined);
      assert.deepEqual(await filesOf(join(root, ".incoming")), []);
      await store.put("parts/small-too", Buffer.alloc(300_000));
    } finally {
      spawnSync("umount", [root]);
    }
  });
});
