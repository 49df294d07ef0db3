import { type DatabaseKind } from "../engine";
import { sqliteCopy } from "./copy";
import { diagnoseSqlite } from "./doctor";
import { openSqliteHeart, prepareSqlite } from "./heartbeat";

/** A SQLite file. */
export const sqliteKind: DatabaseKind = {
  engines: [sqliteCopy],
  prepare: prepareSqlite,
  openHeart: openSqliteHeart,
  diagnose: diagnoseSqlite,
};
