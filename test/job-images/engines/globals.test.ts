import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { settingStatement, splitStatements } from "../../../job-images/src/engines/postgres/globals";
import {
  databaseConnectionString,
  quoteIdentifier,
  quoteLiteral,
} from "../../../job-images/src/engines/postgres/libpq";
import { findPostgresTools, toolsForServer } from "../../../job-images/src/engines/postgres/tools";

describe("globals", () => {
  it("[guide 7] are split into statements, whatever their strings hold", () => {
    assert.deepEqual(
      splitStatements(
        `-- a comment; with a semicolon\n\\restrict abc;\nCREATE ROLE "a;b""c";\nALTER ROLE x WITH PASSWORD 'it''s;';\nCOMMENT ON ROLE x IS E'back\\'slash;';\n\nGRANT a TO b`,
      ),
      [
        `CREATE ROLE "a;b""c"`,
        `ALTER ROLE x WITH PASSWORD 'it''s;'`,
        `COMMENT ON ROLE x IS E'back\\'slash;'`,
        "GRANT a TO b",
      ],
    );
  });
  it("carry settings over to another name, lists as lists", () => {
    assert.equal(
      settingStatement("new db", "", "search_path=app, public"),
      `ALTER DATABASE "new db" SET "search_path" TO app, public`,
    );
    assert.equal(
      settingStatement("d", "r", "my.setting=it's"),
      `ALTER ROLE "r" IN DATABASE "d" SET "my"."setting" TO 'it''s'`,
    );
  });
});

describe("names on their way to the server", () => {
  it("are always quoted", () => {
    assert.equal(quoteIdentifier('a"b'), '"a""b"');
    assert.equal(quoteLiteral("it's \\"), "E'it''s \\\\'");
    assert.equal(databaseConnectionString("-x' dbname='y\\"), "dbname='-x\\' dbname=\\'y\\\\'");
  });
});

describe("client tools", () => {
  it("[guide 7] are never older than the server", async () => {
    await assert.rejects(
      toolsForServer(99),
      /PostgreSQL 99 and the newest client tools here are \d+.*install postgresql-client-99/,
    );
  });
  it("are the programs themselves, and the first of a version on the path", async () => {
    const root = mkdtempSync(join(tmpdir(), "dr-test-tools-"));
    const pathBefore = process.env.PATH;
    const toolsOf = (name: string, version: string): string => {
      const folder = join(root, name);
      mkdirSync(folder);
      for (const program of ["pg_dump", "pg_restore"]) {
        writeFileSync(join(folder, program), `#!/bin/sh\necho "${program} (PostgreSQL) ${version}"\n`, { mode: 0o755 });
      }
      return folder;
    };
    try {
      const folders = [toolsOf("first", "77.1"), toolsOf("second", "77.2"), toolsOf("wrapped", "78.1")];
      renameSync(join(root, "wrapped", "pg_dump"), join(root, "pg_wrapper"));
      symlinkSync(join(root, "pg_wrapper"), join(root, "wrapped", "pg_dump"));
      process.env.PATH = [pathBefore, ...folders].join(delimiter);
      const found = await findPostgresTools();
      assert.equal(found.find(({ major }) => major === 77)?.version, "77.1");
      assert.ok(!found.some(({ major }) => major === 78), "Debian's wrapper is no tool of its own");
    } finally {
      process.env.PATH = pathBefore;
      rmSync(root, { recursive: true });
    }
  });
});
