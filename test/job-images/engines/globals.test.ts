import assert from "node:assert/strict";
import { settingStatement, splitStatements } from "../../../job-images/src/engines/postgres/globals";
import {
  databaseConnectionString,
  quoteIdentifier,
  quoteLiteral,
} from "../../../job-images/src/engines/postgres/libpq";

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
