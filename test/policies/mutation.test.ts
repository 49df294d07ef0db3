import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { JOINED_RULES } from "../../policies/check/judged-stacks";
import { rules } from "../../policies/rules";
import { infrastructureMutants } from "../support/infrastructure-mutants";
import { type Fixture, PreparedStack } from "../support/judged-stack";
import { rawRecoveryStack } from "../support/raw-recovery-stack";
import { registeredStack } from "../support/registered-stack";

/** What survives, as `type path`, by the reason why nobody minds: the kinds of mutants, `some` where not all of them. */
type Survivors = Record<string, Record<string, string>>;

const LIST = "test/policies/mutation-survivors.json";
/** Judged by what the stacks say by themselves; these two say what is not known, or what a person has to decide. */
const ADVISORIES = [
  "objectives-judged",
  "copy-out-of-reach",
  "drill-monthly",
  "evidence-gate",
  "evidence-standing",
  "sqlite-fails-closed",
];

const configs = JSON.parse(readFileSync("policies/config/prod.json", "utf8")) as Record<
  string,
  Record<string, unknown>
>;

/** Production: the stack that serves, with the application, which somebody else deploys; and the stack that waits. */
async function production(): Promise<{ prod: Fixture[]; site: Fixture[] }> {
  const [prod, site] = await Promise.all([registeredStack("prod"), registeredStack("prod-recovery")]);
  const application = rawRecoveryStack().filter(({ name }) =>
    ["app", "budget", "notes", "ledger", "log", "log-age", "p2", "pager"].includes(name),
  );
  const inStack = (stack: string, fixtures: readonly Fixture[]): Fixture[] =>
    fixtures.map((fixture) => ({
      ...fixture,
      stack,
      name: `${stack} ${fixture.name}`,
      dependsOn: Object.fromEntries(
        Object.entries(fixture.dependsOn ?? {}).map(([property, names]) => [
          property,
          names.map((name) => `${stack} ${name}`),
        ]),
      ),
    }));
  return { prod: inStack("prod", [...prod, ...application]), site: inStack("prod-recovery", site) };
}

// What only groups others is none of the infrastructure, and a provider is how it is reached.
const isJudged = ({ type }: { readonly type: string }): boolean => !/^(disaster-recovery:|pulumi:)/.test(type);

// What lets the copy of Pulumi's state down must not hide what would let a store down.
const isOfState = (resource: string): boolean => / architect-go-copies-state/.test(resource);

describe("the policy pack on production with one value spoiled", function () {
  this.timeout(240_000);
  const killers = new Map<string, number>();
  const counts = new Map<string, { all: number; survived: number }>();
  let honest: string[];
  let caught = 0;
  let total = 0;

  before(async () => {
    const { prod, site } = await production();
    const judged = rules.filter(({ name }) => !ADVISORIES.includes(name));
    const together = judged.filter(({ name }) => JOINED_RULES.includes(name));
    const apart = judged.filter(({ name }) => !JOINED_RULES.includes(name));
    const prepared = [
      new PreparedStack(prod, apart, configs),
      new PreparedStack(site, apart, configs),
      new PreparedStack([...prod, ...site], together, configs),
    ];
    honest = prepared.flatMap((stack) => stack.violated());
    for (const mutant of infrastructureMutants([...prod, ...site])) {
      if (!isJudged(mutant)) continue;
      const { type, path, kind, resource, fixture, noticedBy } = mutant;
      const by = prepared.flatMap((stack) => stack.violatedWith(resource, fixture, noticedBy));
      for (const rule of by) killers.set(rule, (killers.get(rule) ?? 0) + 1);
      total += 1;
      if (by.length > 0) caught += 1;
      const key = `${type}${isOfState(resource) ? " of the state" : ""} ${path}\n${kind}`;
      const count = counts.get(key) ?? { all: 0, survived: 0 };
      counts.set(key, { all: count.all + 1, survived: count.survived + (by.length > 0 ? 0 : 1) });
    }
  });

  it("finds nothing wrong with the honest stack", () => assert.deepEqual(honest, []));

  it("lets through only what stands in the list of survivors, each with its reason; UPDATE_SURVIVORS=1 writes it", () => {
    const survived = new Map<string, string[]>();
    for (const [key, { all, survived: alive }] of counts) {
      const [what = "", kind = ""] = key.split("\n");
      const entry = alive < all ? `${kind} (some)` : kind;
      if (alive > 0) survived.set(what, [...(survived.get(what) ?? []), entry]);
    }
    const listed = existsSync(LIST) ? (JSON.parse(readFileSync(LIST, "utf8")) as Survivors) : {};
    const reasonOf = (what: string) => Object.keys(listed).find((reason) => what in listed[reason]!) ?? "";
    const actual: Survivors = {};
    for (const [what, kinds] of [...survived].sort(([a], [b]) => a.localeCompare(b))) {
      (actual[reasonOf(what)] ??= {})[what] = kinds.sort().join(", ");
    }
    if (process.env.UPDATE_SURVIVORS === "1") writeFileSync(LIST, `${JSON.stringify(sorted(actual), undefined, 2)}\n`);
    console.log(`      ${caught} caught, ${total - caught} survived with a reason, ${total} in all`);
    for (const reason of Object.keys(sorted(actual))) {
      console.log(`        ${Object.keys(actual[reason]!).length} kinds of leaf: ${reason}`);
    }
    assert.deepEqual(Object.keys(actual[""] ?? {}), [], "survivors without a reason");
    assert.deepEqual(sorted(actual), sorted(listed), "the list is stale");
  });

  it("kills every rule", () => {
    // What is about the plan, or about the shells that our jobs do not run; what another test spoils in every way.
    const others = [...ADVISORIES, "plan-reviewed", "backup-command", "sqlite-backup-beside", "sqlite-restored-first"];
    assert.deepEqual(
      rules.map(({ name }) => name).filter((name) => !killers.has(name) && !others.includes(name)),
      [],
    );
  });
});

const sorted = (survivors: Survivors): Survivors =>
  Object.fromEntries(Object.entries(survivors).sort(([a], [b]) => a.localeCompare(b)));
