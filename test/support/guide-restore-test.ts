import { execFile } from "node:child_process";

/**
 * The guide's own weekly restore test, word for word but for the download and for where the server is: the script that
 * users have today. Its exit code is all that it says.
 */
export function guideRestoreTest(options: {
  /** Folder that holds `latest.sql.gz`. */
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
}): Promise<number> {
  const script = `
createdb architect_test
# Restore to test database
gunzip -c latest.sql.gz | psql -U test architect_test

# Verify
psql -U test -d architect_test -c "SELECT COUNT(*) FROM users;"

# Cleanup
dropdb architect_test`;
  return new Promise((resolve) => {
    execFile("/bin/sh", ["-c", script], { cwd: options.folder, env: options.env, maxBuffer: 2 ** 28 }, (error) =>
      resolve(error === null ? 0 : ((error as { code?: number }).code ?? 1)),
    );
  });
}
