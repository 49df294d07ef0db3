/** The parts of a copy: the file itself, compressed, and the facts that a restored one is compared with. */
export const copyPart = "copy.db.zst";
export const factsPart = "facts.json";
