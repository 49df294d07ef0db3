import { type Manifest } from "./manifest";

/**
 * Why a recovery point cannot be of the same database as one that was proven before: whoever may write backups could
 * file those of another database under this name, whole and with a digest that is right. A server that was rebuilt
 * looks the same, so this asks for a person and condemns nothing.
 */
export function continuityProblems(manifest: Manifest, proven: Manifest): string[] {
  const [now, before] = [manifest.source, proven.source];
  const differs = (what: string, got: string | undefined, expected: string | undefined): string[] =>
    got === undefined || expected === undefined || got === expected
      ? []
      : [`is of ${what} ${got}, and ${proven.id}, which was proven, is of ${expected}`];
  return [
    ...differs("engine", manifest.engine, proven.engine),
    ...differs("database", now.databaseName, before.databaseName),
    ...differs("server", now.systemIdentifier, before.systemIdentifier),
  ];
}
