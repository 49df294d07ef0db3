import { type DatabaseKind } from "../engine";
import { sqliteCopy } from "./copy";
import { diagnoseSqlite } from "./doctor";
import { extractFromSqlite } from "./extract";
import { openSqliteHeart, prepareSqlite } from "./heartbeat";
import { sqliteStream } from "./stream-restore";

/** A SQLite file. */
export const sqliteKind: DatabaseKind = {
  engines: [sqliteCopy],
  stream: sqliteStream,
  extract: extractFromSqlite,
  prepare: prepareSqlite,
  openHeart: openSqliteHeart,
  diagnose: diagnoseSqlite,
};
