import assert from "node:assert/strict";
import fc from "fast-check";
import {
  chainLinkProblem,
  earliestExpiry,
  fileListKey,
  incrementProblems,
  type IncrementSituation,
  isFileListKey,
  manifestKey,
  recoveryPointId,
  Scenario,
  usableUntil,
  whyFull,
} from "../../recovery";
import { logWindow } from "../../recovery/data-loss";
import { architect, log, outcomeOf, SIZE_BYTES } from "../support/declared-architect";

const digest = (letter: string): string => letter.repeat(64);
const idAt = (minute: number): string =>
  recoveryPointId("ledger", new Date(Date.UTC(2026, 10, 23, 1, minute)), "base", `0000000${minute % 10}`);
const [full, first, second] = [idAt(0), idAt(1), idAt(2)];
const links = [
  { id: full, digest: digest("a") },
  { id: first, digest: digest("b") },
];

describe("a chain of base backups", () => {
  const child = { id: second, buildsOn: links };
  const cases: readonly [string, number, Parameters<typeof chainLinkProblem>[2], RegExp | null][] = [
    ["the full one", 0, { ...links[0]!, buildsOn: undefined }, null],
    ["an increment on the same full one", 1, { ...links[1]!, buildsOn: links.slice(0, 1) }, null],
    ["nothing", 0, undefined, new RegExp(`builds on ${full}, which is missing`)],
    ["another one under its name", 1, { id: first, digest: digest("c"), buildsOn: links.slice(0, 1) }, /another one/],
    ["an increment where the full one should be", 0, { ...links[0]!, buildsOn: links.slice(1) }, /and not on nothing/],
    [
      "a full one where an increment should be",
      1,
      { ...links[1]!, buildsOn: undefined },
      /builds on nothing and not on/,
    ],
  ];
  for (const [what, index, found, expected] of cases) {
    it(`${expected === null ? "takes" : "refuses"} ${what}`, () => {
      const problem = chainLinkProblem(child, index, found) ?? "";
      if (expected === null) assert.equal(problem, "");
      else assert.match(problem, expected);
    });
  }

  it("goes with the first of it", () => {
    assert.equal(earliestExpiry([undefined, undefined]), undefined);
    assert.equal(
      earliestExpiry(["2026-12-02T00:00:00.000Z", undefined, "2026-12-01T00:00:00.000Z"]),
      "2026-12-01T00:00:00.000Z",
    );
    const chain = [{ startedAt: "2026-11-01T00:00:00.000Z" }, { startedAt: "2026-11-05T00:00:00.000Z" }];
    assert.equal(usableUntil(chain, undefined), undefined);
    assert.equal(usableUntil(chain, 30), "2026-12-01T00:00:00.000Z");
    assert.equal(
      usableUntil([{ ...chain[0]!, expiresAt: "2026-11-20T00:00:00.000Z" }, chain[1]!], 30),
      "2026-11-20T00:00:00.000Z",
    );
  });

  it("keeps its list of files where no manifest is looked for", () => {
    const key = fileListKey("ledger", full);
    assert.ok(isFileListKey(key));
    for (const other of [
      manifestKey("ledger", full),
      key.replace("ledger/", "other/"),
      `${key}/x`,
      "catalog/ledger/.files.zst",
    ]) {
      assert.ok(!isFileListKey(other), other);
    }
  });
});

describe("whether a base backup may be incremental", () => {
  const now = new Date("2026-11-23T12:00:00Z");
  const possible: IncrementSituation = {
    incrementalsPerFull: 2,
    serverMajor: 17,
    summarizesWal: true,
    previous: { id: first, buildsOn: links.slice(0, 1), fileList: { bytes: 1, sha256: digest("d") } },
    previousProblems: [],
    previousUntil: "2026-12-15T00:00:00.000Z",
    keptDays: 30,
    now,
  };
  const cases: readonly [string, Partial<IncrementSituation>, RegExp | undefined][] = [
    ["everything speaks for it", {}, undefined],
    ["nothing ever goes", { previousUntil: undefined, keptDays: undefined }, undefined],
    ["none are configured", { incrementalsPerFull: 0 }, /no incremental ones are configured/],
    ["the server is older", { serverMajor: 16 }, /PostgreSQL 16 takes no incremental/],
    ["it notes nothing", { summarizesWal: false }, /summarize_wal is off/],
    ["there is none", { previous: undefined }, /no base backup of this server/],
    [
      "a link is missing",
      { previousProblems: ["it builds on x, which is not there"] },
      /not to be built on: it builds on x/,
    ],
    ["its list of files was not kept", { previous: { id: full } }, /list of files of .* was not kept/],
    [
      "the chain is as long as it may be",
      { previous: { ...possible.previous!, buildsOn: links } },
      /2 incremental ones have been taken/,
    ],
    [
      "half of the retention is over",
      { previousUntil: "2026-12-08T11:00:00.000Z" },
      /can be restored at once until 2026-12-08/,
    ],
    ["exactly half of it is left", { previousUntil: "2026-12-08T12:00:00.000Z" }, undefined],
  ];
  for (const [what, change, expected] of cases) {
    it(`${expected ? "no: " : "yes: "}${what}`, () => {
      const why = whyFull({ ...possible, ...change });
      if (expected === undefined) assert.equal(why, undefined);
      else assert.match(why ?? "", expected);
    });
  }

  it("never builds a chain that is longer than configured, and takes a full one again after it", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 6 }), fc.array(fc.boolean(), { maxLength: 40 }), (allowed, isOn) => {
        let chain: { id: string; digest: string }[] = [];
        let sinceFull = 0;
        for (const [index, summarizesWal] of isOn.entries()) {
          const id = idAt(index);
          const previous =
            index === 0
              ? undefined
              : { ...possible.previous!, id: idAt(index - 1), buildsOn: chain.length === 0 ? undefined : chain };
          const parents = previous ? [...chain, { id: previous.id, digest: digest("e") }] : [];
          const why = whyFull({ ...possible, incrementalsPerFull: allowed, summarizesWal, previous });
          chain = why === undefined ? parents : [];
          sinceFull = why === undefined ? sinceFull + 1 : 0;
          assert.ok(sinceFull <= allowed, `${sinceFull} after one full one`);
          assert.equal(chain.length, sinceFull);
          assert.ok(!chain.some((link) => link.id === id));
        }
      }),
    );
  });

  it("asks the server for what it needs, with the fix", () => {
    const fine = { serverMajor: 18, summarizesWal: true, summaryKeptMinutes: 14_400, intervalMinutes: 2880 };
    assert.deepEqual(incrementProblems(fine), []);
    assert.deepEqual(incrementProblems({ ...fine, summaryKeptMinutes: 0 }), [], "0 keeps them for ever");
    assert.deepEqual(incrementProblems({ ...fine, summaryKeptMinutes: 2880 }), []);
    assert.match(incrementProblems({ ...fine, summaryKeptMinutes: 2879 })[0]!.fix, /wal_summary_keep_time = '49h'/);
    assert.match(incrementProblems({ ...fine, summarizesWal: false })[0]!.fix, /summarize_wal = on/);
    assert.match(incrementProblems({ ...fine, serverMajor: 16 })[0]!.found, /PostgreSQL 16 takes no/);
    assert.equal(incrementProblems({ ...fine, summarizesWal: false, summaryKeptMinutes: 60 }).length, 2);
  });
});

describe("the assessment of incremental base backups", () => {
  it("counts the window from full one to full one", () => {
    const days = (incrementalsPerFull?: number) => logWindow({ ...log, incrementalsPerFull }, SIZE_BYTES).days!;
    assert.equal(days(undefined), days(0));
    assert.ok(Math.abs(days(0) - days(6) - 6) < 1e-9, `${days(0)} and ${days(6)}`);
    assert.match(
      logWindow({ ...log, incrementalsPerFull: 6 }, SIZE_BYTES).detail,
      /8 d between full base backups, one failed/,
    );
    assert.ok(days(14) <= 0, "with a full one every 15 days, 14 days of log are no window");
  });

  it("counts the bytes of the whole chain, and putting it together", () => {
    const outcome = (incrementalsPerFull?: number) =>
      outcomeOf(Scenario.DataCorruption, architect({ protections: [{ ...log, incrementalsPerFull }] }));
    const minutes = (incrementalsPerFull?: number): number => outcome(incrementalsPerFull).rtoMinutes!;
    assert.notEqual(minutes(0), null);
    assert.equal(minutes(0), minutes(undefined));
    assert.ok(minutes(1) > minutes(0));
    assert.ok(minutes(3) > minutes(1));
    assert.deepEqual(outcome(1).fix?.text, ["log: `incrementalsPerFull: 0`"]);
  });
});
