/** Where a database is, as a secret names it. */
export interface DatabaseEndpoint {
  /** Of the instance or the cluster. */
  readonly identifier: string;
  readonly host: string;
  readonly port: number;
  /** Of a cluster's readers. */
  readonly readerHost?: string;
}

/** A secret that names the new place, or why it cannot be made of the old one. */
export type SwitchedSecret =
  | { readonly text: string; readonly changed: readonly string[]; readonly problem?: undefined }
  | { readonly text?: undefined; readonly changed?: undefined; readonly problem: string };

/** Fields that name the database by its identifier, as RDS's own secrets and rotation functions do. */
const identifierFields: ReadonlySet<string> = new Set(["dbInstanceIdentifier", "dbClusterIdentifier"]);
const passwordField = /pass|secret|token/i;

/**
 * The same secret with the new endpoint in the place of the old one: in `host`, in `port`, in URLs. Every other field stays
 * as it is, fields that nobody here knows included. Refused when it does not name the old endpoint: somebody has switched
 * it since, and overwriting that would send the application to a database that nobody means.
 */
export function switchedSecret(text: string, from: DatabaseEndpoint, to: DatabaseEndpoint): SwitchedSecret {
  let secret: unknown;
  try {
    secret = JSON.parse(text);
  } catch {
    return { problem: "it is no JSON document: change it by hand" };
  }
  if (secret === null || typeof secret !== "object" || Array.isArray(secret)) {
    return { problem: "it is no JSON object with fields: change it by hand" };
  }
  const changed: string[] = [];
  const fields = Object.entries(secret).map(([name, value]: [string, unknown]) => {
    const now = passwordField.test(name) ? value : switchedValue(name, value, from, to);
    if (now !== value) changed.push(name);
    return [name, now] as const;
  });
  const names = (host: string): boolean =>
    fields.some(([name], index) => {
      const [, value] = Object.entries(secret as Record<string, unknown>)[index]!;
      return !passwordField.test(name) && typeof value === "string" && replacedHost(value, host, "") !== value;
    });
  if (!names(from.host)) {
    return {
      problem: names(to.host)
        ? `it names ${to.host} already`
        : `it does not name ${from.host}, the endpoint of ${from.identifier}: somebody has changed it since; look before you overwrite that`,
    };
  }
  return { text: JSON.stringify(Object.fromEntries(fields)), changed };
}

function switchedValue(name: string, value: unknown, from: DatabaseEndpoint, to: DatabaseEndpoint): unknown {
  if (name === "port" && Number(value) === from.port) return typeof value === "string" ? String(to.port) : to.port;
  if (typeof value !== "string") return value;
  if (identifierFields.has(name) && value === from.identifier) return to.identifier;
  let replaced = replacedHost(value, `${from.host}:${from.port}`, `${to.host}:${to.port}`);
  replaced = replacedHost(replaced, from.host, to.host);
  return from.readerHost === undefined || to.readerHost === undefined
    ? replaced
    : replacedHost(replaced, from.readerHost, to.readerHost);
}

/** Whole names only: `db.example.org` is no part of `my-db.example.org`. */
function replacedHost(text: string, from: string, to: string): string {
  const escaped = from.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return text.replace(new RegExp(`(?<![A-Za-z0-9.-])${escaped}(?![A-Za-z0-9.-]|:?\\d)`, "gi"), () => to);
}
