/** A table as a database names it. `schema` is empty where the engine has none. */
export interface TableName {
  readonly schema: string;
  readonly name: string;
}

interface NamePart {
  readonly text: string;
  /** Written in double quotes: taken to the letter. */
  readonly quoted: boolean;
}

/** What was found for a word, or why it names no one table. */
export type TableChoice =
  | { readonly table: TableName; readonly problem?: undefined }
  | { readonly table?: undefined; readonly problem: string };

const nearest = 3;

/**
 * Finds the table that a person named as `table`, `schema.table` or `"Odd.Schema"."Odd Table"`. What is not in double
 * quotes is compared without regard to upper and lower case; as soon as more than one table fits, none is chosen: the
 * wrong table recovered is worse than a question.
 *
 * @param known every table that can be chosen
 */
export function chooseTable(word: string, known: readonly TableName[]): TableChoice {
  const parts = nameParts(word);
  if (parts === undefined || parts.length > 2) {
    return {
      problem: `${JSON.stringify(word)} is no table name: expected table, schema.table or "Odd.Schema"."Odd Table"`,
    };
  }
  const name = parts.at(-1)!;
  const schema = parts.length === 2 ? parts[0] : undefined;
  const found = known.filter((table) => fits(name, table.name) && (schema === undefined || fits(schema, table.schema)));
  if (found.length === 1) return { table: found[0]! };
  if (found.length > 1) {
    return { problem: `${word} may mean ${found.map(tableText).join(" or ")}: write it out, with its quotes` };
  }
  const near = nearestTables(parts.map(({ text }) => text).join("."), known);
  return {
    problem: `there is no table ${word}${near.length === 0 ? "" : `; there is ${near.map(tableText).join(", ")}`}`,
  };
}

/** A table's name as SQL and people write it: quoted where it has to be. */
export function tableText({ schema, name }: TableName): string {
  return schema === "" ? quotedIfNeeded(name) : `${quotedIfNeeded(schema)}.${quotedIfNeeded(name)}`;
}

function quotedIfNeeded(name: string): string {
  return /^[a-z_][a-z0-9_$]*$/.test(name) ? name : `"${name.replace(/"/g, '""')}"`;
}

/** The parts of a dotted name; `undefined` when it is none. */
function nameParts(word: string): NamePart[] | undefined {
  const parts: NamePart[] = [];
  const part = /"((?:[^"]|"")+)"|([^".]+)/uy;
  for (let at = 0; ; at++) {
    part.lastIndex = at;
    const match = part.exec(word);
    if (match === null || match[0].includes("\0")) return undefined;
    const [whole, quoted, plain] = match;
    parts.push(
      quoted === undefined ? { text: plain!, quoted: false } : { text: quoted.replace(/""/g, '"'), quoted: true },
    );
    at += whole.length;
    if (at === word.length) return parts;
    if (word[at] !== ".") return undefined;
  }
}

function fits({ text, quoted }: NamePart, name: string): boolean {
  return quoted ? name === text : name.toLowerCase() === text.toLowerCase();
}

/** Those that a slip of the finger, or of the schema, may have meant. */
function nearestTables(word: string, known: readonly TableName[]): TableName[] {
  const wanted = word.toLowerCase();
  const bare = wanted.split(".").at(-1)!;
  const distance = (table: TableName): number => {
    const name = table.name.toLowerCase();
    const whole = table.schema === "" ? name : `${table.schema.toLowerCase()}.${name}`;
    if (name.includes(bare) || bare.includes(name)) return 1;
    return Math.min(editDistance(wanted, whole), editDistance(bare, name));
  };
  return known
    .map((table) => ({ table, distance: distance(table) }))
    .filter((each) => each.distance <= Math.max(2, bare.length / 3))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, nearest)
    .map(({ table }) => table);
}

/** Levenshtein's distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}

/** Longest name that PostgreSQL keeps whole, in bytes. */
const longestNameBytes = 63;

/** What is wrong with the name of a schema that recovered rows are put into; `undefined` when nothing is. */
export function sideSchemaProblem(name: string): string | undefined {
  const bytes = new TextEncoder().encode(name).length;
  if (name.trim() === "") return "is empty";
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f]/.test(name)) return "holds a control character";
  if (bytes > longestNameBytes) return `has ${bytes} bytes, and a name may have ${longestNameBytes}`;
  if (/^pg_/i.test(name) || name === "information_schema" || /^sqlite_/i.test(name))
    return "belongs to the database itself";
  return undefined;
}

/** Where recovered rows go unless a person says otherwise. */
export function defaultSideSchema(now: Date): string {
  return `recovered_${now
    .toISOString()
    .replace(/[-:]|\.\d+/g, "")
    .toLowerCase()}`;
}
