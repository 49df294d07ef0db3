import { type Client } from "pg";
import { type EvidenceCheck } from "../../../../recovery";
import { type PostgresFacts, readDescription, type RoleFacts } from "./facts";
import { type InventoryEntry, notNullConstraint, printedByVersion } from "./inventory";
import { settingStatement } from "./globals";
import { judged } from "../../proof/check";

/** The source's roles against those of the server that is restored on. Made before the restore, which needs them. */
export function compareRoles(expected: readonly RoleFacts[], got: readonly RoleFacts[]): EvidenceCheck {
  const present = new Map(got.map((role) => [role.name, role]));
  const differences = expected.flatMap((role) => {
    const found = present.get(role.name);
    if (!found) return [`role ${role.name} is missing`];
    const problems: string[] = [];
    if (found.attributes !== role.attributes) {
      problems.push(`role ${role.name} is ${found.attributes || "plain"}, was ${role.attributes || "plain"}`);
    }
    const lost = role.memberOf.filter((group) => !found.memberOf.includes(group));
    if (lost.length > 0) problems.push(`role ${role.name} is no longer a member of ${lost.join(", ")}`);
    return problems;
  });
  return judged("roles", differences, `${expected.length} roles with their attributes and memberships`);
}

/** The restored schema, extensions, settings and sequences against the source's facts. */
export async function compareStructure(client: Client, expected: PostgresFacts): Promise<EvidenceCheck[]> {
  const got = await readDescription(client);
  return [
    compareExtensions(expected.extensions, got.extensions),
    expected.serverMajor === got.serverMajor
      ? compareInventory(expected.inventory, got.inventory)
      : compareAcrossVersions(expected, got),
    compareSequences(expected, got),
    compareDatabase(expected, got),
  ];
}

function compareExtensions(
  expected: Readonly<Record<string, string>>,
  got: Readonly<Record<string, string>>,
): EvidenceCheck {
  const missing = Object.keys(expected).filter((name) => got[name] === undefined);
  // CREATE EXTENSION installs the version that this server ships; a newer one is how every restore of a dump works.
  const other = Object.entries(expected)
    .filter(([name, version]) => got[name] !== undefined && got[name] !== version)
    .map(([name, version]) => `${name} ${version} as ${got[name]}`);
  const differences = missing.map((name) => `extension ${name} is missing`);
  const versions = other.length === 0 ? "" : ` (other versions: ${other.join(", ")})`;
  return judged("extensions", differences, `${Object.keys(expected).length} extensions${versions}`);
}

/** Every object by its name and definition. Pure, so that it can be tested without a server. */
export function compareInventory(expected: readonly InventoryEntry[], got: readonly InventoryEntry[]): EvidenceCheck {
  const key = (entry: InventoryEntry): string => `${entry.kind} ${entry.identity}`;
  const left = new Map<string, string[]>();
  for (const entry of got) left.set(key(entry), [...(left.get(key(entry)) ?? []), entry.definition]);
  const differences: string[] = [];
  for (const entry of expected) {
    const definitions = left.get(key(entry));
    const definition = definitions?.shift();
    if (definitions?.length === 0) left.delete(key(entry));
    if (definition === undefined) differences.push(`${key(entry)} is missing`);
    else if (definition !== entry.definition) {
      differences.push(`${key(entry)} is [${shorten(definition)}], was [${shorten(entry.definition)}]`);
    }
  }
  for (const extra of left.keys()) differences.push(`${extra} was not there`);
  return judged("structure", differences, `${expected.length} objects with their definitions`);
}

/**
 * A dump in a server of another major version. What each version prints in words of its own is compared by its name, what
 * only the newer one has is left out, and everything else is compared as ever.
 */
function compareAcrossVersions(
  expected: Pick<PostgresFacts, "inventory" | "serverMajor">,
  got: Pick<PostgresFacts, "inventory" | "serverMajor">,
): EvidenceCheck {
  const older = Math.min(expected.serverMajor, got.serverMajor);
  const inCommon = (entries: readonly InventoryEntry[]): InventoryEntry[] =>
    entries
      .filter(({ kind }) => older >= 18 || kind !== notNullConstraint)
      .map(({ kind, identity, definition }) => {
        if (printedByVersion.includes(kind)) return { kind, identity, definition: "" };
        return { kind, identity, definition: older >= 17 ? definition : withoutMaintain(definition) };
      });
  const check = compareInventory(inCommon(expected.inventory), inCommon(got.inventory));
  const byName = expected.inventory.filter(({ kind }) => printedByVersion.includes(kind)).length;
  const versions = `PostgreSQL ${got.serverMajor} prints them in other words than ${expected.serverMajor}`;
  return byName === 0 ? check : { ...check, detail: `${check.detail}; ${byName} of them by name: ${versions}` };
}

/** The privilege that PostgreSQL 17 has added to everything that an owner may do with a table. */
function withoutMaintain(definition: string): string {
  return definition.replace(/=([a-zA-Z*]+)\//g, (_all, rights: string) => `=${rights.replace(/m\*?/, "")}/`);
}

function shorten(definition: string): string {
  const line = definition.replace(/\s+/g, " ").trim();
  return line.length > 160 ? `${line.slice(0, 157)}...` : line;
}

function compareSequences(
  expected: Pick<PostgresFacts, "sequences">,
  got: Pick<PostgresFacts, "sequences">,
): EvidenceCheck {
  const values = new Map(got.sequences.map((sequence) => [`${sequence.schema}.${sequence.name}`, sequence]));
  const differences = expected.sequences.flatMap((sequence) => {
    const name = `${sequence.schema}.${sequence.name}`;
    const found = values.get(name);
    if (!found) return [`sequence ${name} is missing`];
    if (sequence.lastValue === null) return [];
    if (found.lastValue === null) return [`sequence ${name} was never used, stood at ${sequence.lastValue}`];
    const [now, before] = [BigInt(found.lastValue), BigInt(sequence.lastValue)];
    const behind = sequence.increment.startsWith("-") ? now > before : now < before;
    return behind ? [`sequence ${name} stands at ${now}, stood at ${before}`] : [];
  });
  return judged("sequences", differences, `${expected.sequences.length} sequences at or past where they stood`);
}

function compareDatabase(
  expected: Pick<PostgresFacts, "database">,
  got: Pick<PostgresFacts, "database">,
): EvidenceCheck {
  const differences: string[] = [];
  for (const field of ["owner", "encoding", "collate", "ctype", "icuLocale", "connectionLimit", "comment"] as const) {
    if (expected.database[field] !== got.database[field]) {
      differences.push(`${field} is ${String(got.database[field])}, was ${String(expected.database[field])}`);
    }
  }
  const settings = new Set(got.database.settings.map(({ role, setting }) => settingStatement("it", role, setting)));
  for (const { role, setting } of expected.database.settings) {
    if (!settings.has(settingStatement("it", role, setting))) {
      differences.push(`setting ${setting}${role === "" ? "" : ` of ${role}`} is missing`);
    }
  }
  if (JSON.stringify(expected.database.privileges) !== JSON.stringify(got.database.privileges)) {
    differences.push("privileges on the database differ");
  }
  return judged("database settings", differences, "owner, encoding, collation, settings and privileges");
}
