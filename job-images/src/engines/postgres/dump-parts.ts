/** The parts of a dump: the archive, the roles as SQL, and the facts that a restored copy is compared with. */
export const dumpPart = "dump.pgc.zst";
export const globalsPart = "globals.sql";
export const factsPart = "facts.json";
