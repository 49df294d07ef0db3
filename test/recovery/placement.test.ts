import assert from "node:assert/strict";
import { blockersOf, type RecoveryDependency } from "../../recovery/dependency";
import { Domain, failedDomains, type Placed, PlacedKind, survivalOf } from "../../recovery/placement";
import { scenarios } from "../../recovery/scenario";
import { home } from "../support/declared-architect";

const OUTAGE = failedDomains["complete-outage"];
const REGION = failedDomains["regional-failure"];
const primary: Placed = { placement: { ...home, cluster: "blue" }, encryptionKey: { name: "key", regions: ["eu-1"] } };

describe("placement: what outlives a scenario", () => {
  const cases: [title: string, copy: Placed, domains: readonly Domain[], survival: string, why: RegExp][] = [
    ["a bucket outlives server, zone and cluster", { placement: { region: "eu-1" } }, OUTAGE, "survives", /^$/],
    [
      "a disk of the failed server does not",
      { placement: { server: "db-1" } },
      OUTAGE,
      "lost",
      /in the failed server db-1/,
    ],
    [
      "a volume in the failed zone does not",
      { placement: { zone: "eu-1a" } },
      OUTAGE,
      "lost",
      /in the failed zone eu-1a/,
    ],
    ["a volume in another zone does", { placement: { zone: "eu-1b" } }, OUTAGE, "survives", /^$/],
    [
      "an object in the failed cluster does not",
      { placement: { cluster: "blue" } },
      OUTAGE,
      "lost",
      /in the failed cluster blue/,
    ],
    [
      "a bucket in the failed region does not",
      { placement: { region: "eu-1" } },
      REGION,
      "lost",
      /in the failed region eu-1/,
    ],
    ["a bucket in another region does", { placement: { region: "us-1" } }, REGION, "survives", /^$/],
    [
      "a bucket in no known region: unknown",
      { placement: { account: "1" } },
      REGION,
      "unknown",
      /in which region it is/,
    ],
    ["a copy of which nobody said where it is: unknown", {}, OUTAGE, "unknown", /nobody said where it lives/],
    ["what is global outlives every region", { placement: { region: "global" } }, REGION, "survives", /^$/],
    [
      "a copy in the failed account does not",
      { placement: { account: home.account } },
      [Domain.Account],
      "lost",
      /failed account 1+/,
    ],
    ["a copy in another account does", { placement: { account: "2" } }, [Domain.Account], "survives", /^$/],
    [
      "a copy under the failed key does not",
      { placement: { region: "us-1" }, encryptionKey: { name: "key", regions: ["us-1"] } },
      [Domain.Key],
      "lost",
      /under the failed key key/,
    ],
    [
      "a copy under another key does",
      { encryptionKey: { name: "other", regions: ["eu-1"] } },
      [Domain.Key],
      "survives",
      /^$/,
    ],
    [
      "a copy elsewhere under a key that only the failed region has does not",
      { placement: { region: "us-1" }, encryptionKey: { name: "key", regions: ["eu-1"] } },
      REGION,
      "lost",
      /the key key that it is under exists only in the failed region eu-1/,
    ],
    [
      "a copy under a multi-region key does",
      { placement: { region: "us-1" }, encryptionKey: { name: "key", regions: ["eu-1", "us-1"] } },
      REGION,
      "survives",
      /^$/,
    ],
    [
      "a key of which nobody said where it is: unknown",
      { placement: { region: "us-1" }, encryptionKey: { name: "key", regions: [] } },
      REGION,
      "unknown",
      /in which regions the key/,
    ],
    ["nothing fails: everything survives", {}, [], "survives", /^$/],
  ];
  for (const [title, copy, domains, survival, why] of cases) {
    it(`${title}: ${survival}`, () => {
      const finding = survivalOf(copy, primary, domains);
      assert.equal(finding.survival, survival);
      assert.match(finding.why, why);
    });
  }

  it("a server of which the zone or the cluster is not named may be in the failed one", () => {
    const standby = { placement: { server: "db-2", region: "eu-1" } };
    assert.equal(survivalOf(standby, primary, OUTAGE, PlacedKind.Server).survival, "unknown");
    const elsewhere = { placement: { server: "db-2", zone: "eu-1b", cluster: "green", region: "eu-1" } };
    assert.equal(survivalOf(elsewhere, primary, OUTAGE, PlacedKind.Server).survival, "survives");
  });

  it("nothing is known to survive when nobody said where the database lives", () => {
    for (const domains of [OUTAGE, REGION]) {
      assert.equal(survivalOf({ placement: { region: "us-1" } }, {}, domains).survival, "unknown");
      assert.equal(
        survivalOf({ placement: { region: "us-1" } }, { placement: {} }, [Domain.Region]).survival,
        "unknown",
      );
    }
  });

  it("only an outage and a lost region take places with them", () => {
    assert.deepEqual(
      scenarios.filter((scenario) => failedDomains[scenario].length > 0),
      ["complete-outage", "regional-failure"],
    );
  });
});

describe("dependencies: what stops a recovery", () => {
  const inRegion = (kind: RecoveryDependency["kind"], ...regions: string[]): RecoveryDependency => ({
    kind,
    name: `the-${kind}`,
    placements: regions.map((region) => ({ region })),
  });

  it("is everything that lives only inside the failed domain", () => {
    const dependencies = [
      inRegion("key", "eu-1"),
      inRegion("image", "eu-1", "us-1"),
      { ...inRegion("secret"), placements: [{ region: "eu-1", cluster: "blue" }] },
      inRegion("dns", "global"),
      inRegion("role", "global"),
      inRegion("state", "eu-1"),
      inRegion("runbook", "us-1"),
      inRegion("contacts"),
    ];
    assert.deepEqual(blockersOf(dependencies, primary, REGION), {
      stops: [
        "key the-key: it is in the failed region eu-1",
        "secret the-secret: it is in the failed region eu-1",
        "state the-state: it is in the failed region eu-1",
      ],
      unknown: ["contacts the-contacts: nobody said where it lives"],
    });
    assert.deepEqual(blockersOf(dependencies, primary, OUTAGE), {
      stops: ["secret the-secret: it is in the failed cluster blue"],
      unknown: ["contacts the-contacts: nobody said where it lives"],
    });
    assert.deepEqual(blockersOf(dependencies, primary, []), { stops: [], unknown: [] });
  });
});
