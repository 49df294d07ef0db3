import { type DatabaseKind } from "../engine";
import { sqliteCopy } from "./copy";
import { diagnoseSqlite } from "./doctor";
import { openSqliteHeart, prepareSqlite } from "./heartbeat";
import { sqliteStream } from "./stream-restore";

/** A SQLite file. */
export const sqliteKind: DatabaseKind = {
  engines: [sqliteCopy],
  stream: sqliteStream,
  prepare: prepareSqlite,
  openHeart: openSqliteHeart,
  diagnose: diagnoseSqlite,
};
