import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { dr, writeConfig } from "../support/runner";
import { isInstalled } from "../support/installed";
import { skip } from "../support/skip";
import { backUp, type ProtectedFile, protectedFile, sqlite } from "../support/sqlite";
import { TerminalSession } from "../support/terminal-session";

/** A file in production, where nobody may say `--yes`. */
async function inProduction(): Promise<ProtectedFile> {
  const file = protectedFile("CREATE TABLE t (a); INSERT INTO t VALUES (41), (42);");
  await backUp(file);
  const databases = [{ name: "it", engine: "sqlite", path: file.path }];
  return {
    ...file,
    config: writeConfig(file.folder, { store: `file://${file.store}`, environment: "prod", databases }),
  };
}

describe("a recovery by a person at three in the morning", function () {
  this.timeout(90_000);

  before(function () {
    if (!isInstalled("script")) skip(this, "there is no `script` (bsdutils) to make a terminal with");
  });

  it("[guide 32] is asked what matters, in the order in which it is known, and recovers", async () => {
    const { config, folder } = await inProduction();
    const into = join(folder, "recovered.db");
    const session = new TerminalSession(["recover", "--config", config]);
    await session.answer("To which moment?", "latest");
    await session.answer("Where to?", into);
    await session.answer("Type it to begin:", "it");
    assert.equal(await session.end(), 0, session.screen);
    assert.equal(sqlite(into, "SELECT sum(a) FROM t"), "83");
    // The plan is there before the first answer that decides anything.
    assert.ok(session.screen.indexOf("-copy-") < session.screen.indexOf("Where to?"), session.screen);
  });

  it("touches nothing when the name that is typed is another one", async () => {
    const { config, folder } = await inProduction();
    const into = join(folder, "recovered.db");
    const session = new TerminalSession(["recover", "--to", "latest", "--into", into, "--config", config]);
    await session.answer("Type it to begin:", "yes");
    assert.equal(await session.end(), 2, session.screen);
    assert.match(session.screen, /"yes" is not it: nothing was done\./);
    assert.equal(existsSync(into), false);
  });

  it("ends with what it did, and never as if it had recovered, when the terminal is closed at a question", async () => {
    const { config, folder } = await inProduction();
    const into = join(folder, "recovered.db");
    for (const [key, exitCode, said] of [
      ["\u0004", 2, /Nobody answered: nothing was done\./],
      ["\u0003", 130, /Ended by SIGINT/],
    ] as const) {
      const session = new TerminalSession(["recover", "--to", "latest", "--into", into, "--config", config]);
      await session.press("Type it to begin:", key);
      assert.equal(await session.end(), exitCode, session.screen);
      assert.match(session.screen, said);
      assert.equal(existsSync(into), false);
    }
  });

  it("does not begin where there is nobody to ask, and takes no --yes in production", async () => {
    const { config, folder } = await inProduction();
    const into = join(folder, "recovered.db");
    const words = ["recover", "--to", "latest", "--into", into, "--config", config];
    const alone = await dr(words);
    assert.equal(alone.exitCode, 2);
    assert.match(alone.stdout + alone.stderr, /no terminal to ask on/);
    const hasty = await dr([...words, "--yes"]);
    assert.equal(hasty.exitCode, 2);
    assert.match(hasty.stdout + hasty.stderr, /this is prod, where a person decides/);
    assert.equal(existsSync(into), false);
  });
});
