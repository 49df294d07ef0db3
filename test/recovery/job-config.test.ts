import assert from "node:assert/strict";
import fc from "fast-check";
import { jobConfigJsonSchema, parseJobConfig, parsePostgresUrl, parseStoreUrl } from "../../recovery";

const least = {
  store: "file:///var/backups",
  databases: [{ name: "architect", engine: "postgres", url: "postgresql://backup@db.internal:5432/architect" }],
};
const problemsOf = (config: unknown): string => (parseJobConfig(JSON.stringify(config)).problems ?? []).join("\n");
const withDatabase = (more: Record<string, unknown>): unknown => ({
  ...least,
  databases: [{ ...least.databases[0], ...more }],
});

describe("job configuration", () => {
  it("takes the least that works", () => assert.deepEqual(parseJobConfig(JSON.stringify(least)).config, least));

  const refused: readonly [string, unknown, RegExp][] = [
    ["no database", { ...least, databases: [] }, /at least one database/],
    ["a name twice", { ...least, databases: [least.databases[0], least.databases[0]] }, /used twice/],
    ["a misspelt field", { ...least, database: [] }, /database/],
    ["a password in the URL", withDatabase({ url: "postgresql://me:pw@h/d" }), /must not hold a password/],
    [
      "a password among the parameters",
      withDatabase({ url: "postgresql://h/d?password=x" }),
      /must not hold a password/,
    ],
    ["two sources of one password", withDatabase({ passwordFile: "/a", passwordEnv: "B" }), /name one of them/],
    ["sqlite without a path", { ...least, databases: [{ name: "a", engine: "sqlite" }] }, /path: is missing/],
    [
      "sqlite with a URL",
      { ...least, databases: [{ name: "a", engine: "sqlite", path: "/a", url: "postgresql://h/d" }] },
      /does not belong/,
    ],
    ["postgres with a path", withDatabase({ path: "/a" }), /does not belong/],
    ["a schedule that Kubernetes refuses", withDatabase({ backup: { schedule: "0 0 L * *" } }), /backup\.schedule/],
    ["a schedule in no time zone", withDatabase({ backup: { schedule: "0 0 * * *", timeZone: "Mars/Base" } }), /Mars/],
    ["objectives that cannot be", { ...least, objectives: { rtoMinutes: 0 } }, /objectives.*rtoMinutes/],
  ];
  for (const [what, config, expected] of refused) {
    it(`refuses ${what}`, () => assert.match(problemsOf(config), expected));
  }

  it("takes an RDS instance, and backups that others keep", () => {
    const config = withDatabase({
      engine: "rds",
      rds: { instanceIdentifier: "architect-prod", region: "eu-central-1", test: { securityGroupIds: ["sg-1"] } },
      otherBackups: [
        { kind: "cloudnative-pg", store: "s3://cnpg/backups?region=eu-central-1", server: "architect" },
        { kind: "aws-backup", resourceArn: "arn:aws:rds:eu-central-1:111122223333:db:architect-prod" },
      ],
    });
    assert.deepEqual(parseJobConfig(JSON.stringify(config)).config, config);
  });

  it("names every problem of an RDS instance at once", () => {
    const problems = problemsOf(
      withDatabase({
        rds: {
          instanceIdentifier: "Architect_Prod",
          clusterIdentifier: "architect",
          region: "Frankfurt",
          endpoint: "localhost",
          secretArn: "architect/database",
          restoreMinutes: 400,
          test: { securityGroupIds: ["default"] },
        },
        otherBackups: [
          { kind: "cloudnative-pg", store: "ftp://x", server: "a/b" },
          { kind: "aws-backup", resourceArn: "architect" },
        ],
      }),
    );
    for (const field of [
      "rds.instanceIdentifier",
      "rds.region",
      "rds.endpoint",
      "rds.secretArn",
      "rds.test.securityGroupIds",
      "otherBackups.0.store",
      "otherBackups.0.server",
      "otherBackups.1.resourceArn",
    ]) {
      assert.ok(
        problems.includes(field.replace(/\.(\d)\./, "[$1].")) || problems.includes(field),
        `${field}: ${problems}`,
      );
    }
  });

  it("refuses an RDS instance that is also a cluster, of another engine, or whose tests outlive their restore", () => {
    const rds = { instanceIdentifier: "architect", region: "eu-central-1" };
    const refusal = (more: object, engine = "rds") => problemsOf(withDatabase({ engine, rds: { ...rds, ...more } }));
    assert.equal(refusal({}), "");
    assert.match(refusal({ clusterIdentifier: "architect" }), /either instanceIdentifier or clusterIdentifier/);
    assert.match(refusal({ instanceIdentifier: undefined }), /either instanceIdentifier or clusterIdentifier/);
    assert.match(refusal({ test: { ttlMinutes: 60 } }), /ttlMinutes.*more than restoreMinutes/);
    assert.match(refusal({}, "postgres"), /rds.*does not belong to engine postgres/);
  });

  it("takes incremental base backups of a PostgreSQL server of one's own, and of nothing else", () => {
    const refusal = (incrementalsPerFull: number, more: object = {}) =>
      problemsOf(withDatabase({ backup: { incrementalsPerFull }, ...more }));
    assert.equal(refusal(6), "");
    assert.equal(refusal(0), "");
    assert.match(refusal(-1), /incrementalsPerFull/);
    assert.match(refusal(1.5), /incrementalsPerFull/);
    assert.match(refusal(65), /incrementalsPerFull/);
    assert.match(refusal(2, { engine: "rds" }), /incrementalsPerFull.*does not belong to engine rds/);
    const file = { engine: "sqlite", url: undefined, path: "/data/notes.db" };
    assert.match(refusal(2, file), /incrementalsPerFull.*does not belong to engine sqlite/);
  });

  it("never throws, whatever the text is", () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => void parseJobConfig(text)));
  });

  it("has a JSON Schema with every field", () => {
    const text = JSON.stringify(jobConfigJsonSchema());
    for (const field of [
      "store",
      "databases",
      "passwordFile",
      "maxShrinkShare",
      "objectives",
      "rtoMinutes",
      "orphans",
      "instanceIdentifier",
      "otherBackups",
      "resourceArn",
    ]) {
      assert.ok(text.includes(`"${field}"`), field);
    }
  });
});

describe("store URLs", () => {
  it("name a directory or a bucket", () => {
    assert.deepEqual(parseStoreUrl("file:///var/back%20ups").location, { kind: "directory", path: "/var/back ups" });
    assert.deepEqual(
      parseStoreUrl(
        "s3://my-bucket/a/b/?region=eu-west-1&endpoint=http://127.0.0.1:9000&expectedBucketOwner=123456789012",
      ).location,
      {
        kind: "s3",
        bucket: "my-bucket",
        prefix: "a/b",
        region: "eu-west-1",
        endpoint: "http://127.0.0.1:9000",
        pathStyle: true,
        expectedBucketOwner: "123456789012",
        kmsKeyId: undefined,
      },
    );
  });
  for (const wrong of [
    "",
    "/var/backups",
    "file://var/backups",
    "file:///",
    "s3://",
    "s3://UPPER",
    "s3://b?regoin=x",
    "s3://b?endpoint=host",
    "s3://b?expectedBucketOwner=1",
    "s3://key:secret@bucket",
    "https://bucket",
  ]) {
    it(`refuse ${JSON.stringify(wrong)}`, () => assert.notDeepEqual(parseStoreUrl(wrong).problems, []));
  }
});

describe("PostgreSQL URLs", () => {
  it("name any database by its exact name", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme", minLength: 1 }).filter((name) => !name.includes("\0")),
        (name) => {
          assert.equal(
            parsePostgresUrl(`postgresql://me@host:5433/${encodeURIComponent(name)}`).location?.databaseName,
            name,
          );
        },
      ),
    );
  });
  it("name a socket by its directory", () => {
    const { location } = parsePostgresUrl("postgresql://me@/db?host=/run/postgresql&port=5433");
    assert.deepEqual([location?.host, location?.port, location?.user], ["/run/postgresql", 5433, "me"]);
  });
  it("keep an IPv6 address without its brackets", () => {
    assert.equal(parsePostgresUrl("postgresql://me@[::1]:5432/db").location?.host, "::1");
  });
  for (const wrong of [
    "",
    "db",
    "mysql://h/d",
    "postgresql://h",
    "postgresql://h/",
    "postgresql://h/d?sslmode=maybe",
    "postgresql://h/d?application=x",
    "postgresql://h/%zz",
    "postgresql://a,b/d",
  ]) {
    it(`refuse ${JSON.stringify(wrong)}`, () => assert.notDeepEqual(parsePostgresUrl(wrong).problems, []));
  }
});
