import assert from "node:assert/strict";
import fc from "fast-check";
import { type DatabaseEndpoint, switchedSecret } from "../../recovery";

const from: DatabaseEndpoint = {
  identifier: "architect-prod",
  host: "architect-prod.abc.rds.amazonaws.com",
  port: 5432,
};
const to: DatabaseEndpoint = { identifier: "architect-new", host: "architect-new.abc.rds.amazonaws.com", port: 5433 };
const switched = (secret: unknown) => switchedSecret(JSON.stringify(secret), from, to);

describe("the switch of an endpoint's secret", () => {
  it("[guide 53] puts the new endpoint in the place of the old one and keeps every other field", () => {
    const secret = {
      engine: "postgres",
      host: from.host,
      port: 5432,
      dbname: "architect",
      username: "postgres",
      password: "architect-prod.abc.rds.amazonaws.com",
      url: `postgresql://postgres@${from.host}:5432/architect?sslmode=verify-full`,
      dbInstanceIdentifier: "architect-prod",
      note: "somebody's own",
      nested: { kept: [1, null] },
    };
    const { text, changed } = switched(secret);
    assert.deepEqual(JSON.parse(text!), {
      ...secret,
      host: to.host,
      port: 5433,
      url: `postgresql://postgres@${to.host}:5433/architect?sslmode=verify-full`,
      dbInstanceIdentifier: "architect-new",
    });
    assert.deepEqual(changed, ["host", "port", "url", "dbInstanceIdentifier"]);
  });

  it("keeps a port that is written as text a text, and a port that is another's", () => {
    assert.match(switched({ host: from.host, port: "5432" }).text!, /"port":"5433"/);
    assert.match(switched({ host: from.host, port: 6432 }).text!, /"port":6432/);
  });

  it("switches a cluster's readers as well", () => {
    const readers = (endpoint: DatabaseEndpoint, readerHost: string) => ({ ...endpoint, readerHost });
    const { text } = switchedSecret(
      JSON.stringify({ host: from.host, reader: "ro.old" }),
      readers(from, "ro.old"),
      readers(to, "ro.new"),
    );
    assert.deepEqual(JSON.parse(text!), { host: to.host, reader: "ro.new" });
  });

  for (const [what, secret, why] of [
    ["names another host", { host: "db.example.org" }, /somebody has changed it since/],
    ["names a host that only contains the old one", { host: `my-${from.host}` }, /does not name/],
    ["names the new host already", { host: to.host }, /already/],
    ["has the host in its password alone", { password: from.host }, /does not name/],
    ["is a list", [from.host], /no JSON object/],
    ["is a text", from.host, /no JSON object/],
  ] as const) {
    it(`is refused when it ${what}`, () => assert.match(switched(secret).problem!, why));
  }

  it("changes nothing but what names the old endpoint, whatever else there is", () => {
    const other = fc.dictionary(fc.string({ minLength: 1 }), fc.jsonValue());
    fc.assert(
      fc.property(other, (fields) => {
        const secret = { ...fields, host: from.host };
        const { text, changed } = switched(secret);
        const now = JSON.parse(text!) as Record<string, unknown>;
        for (const [name, value] of Object.entries(JSON.parse(JSON.stringify(secret)) as Record<string, unknown>)) {
          if (changed!.includes(name)) continue;
          assert.deepEqual(now[name], value);
        }
        assert.deepEqual(Object.keys(now).sort(), Object.keys(secret).sort());
      }),
    );
  });
});
