/** How an engine reads SQL where engines differ. */
export interface FilterDialect {
  /** Unbound parameters (`?`, `:name`, `@name`) are NULL instead of an error, and brackets quote a name. */
  readonly sqlite: boolean;
}

/**
 * Why a text cannot be the condition after WHERE; `undefined` when it may be one. The database parses it as well; this
 * refuses what could end the condition and begin something else, and what silently means another condition than a person
 * reads in it.
 */
export function rowFilterProblem(text: string, { sqlite }: FilterDialect): string | undefined {
  if (text.trim() === "") return "it is empty";
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/.test(text)) return "it holds a control character";
  if (text.includes("\\")) return "it holds a backslash, which is read differently in different strings";
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!;
    const pair = text.slice(at, at + 2);
    if (character === "'" || character === '"') {
      const end = endOfQuoted(text, at);
      if (end === undefined) return `the quote ${character} at position ${at + 1} is never closed`;
      at = end;
    } else if (character === "(") depth++;
    else if (character === ")" && --depth < 0) return `the parenthesis at position ${at + 1} closes nothing`;
    else if (character === ";") return "it holds a semicolon: one condition, not a statement";
    else if (pair === "--" || pair === "/*") return "it holds a comment";
    else if (character === "`" || character === "$") return `it holds ${character}: write names in double quotes`;
    else if (sqlite && character === "[") return "it holds [: write names in double quotes";
    else if (sqlite && "?:@#".includes(character))
      return `it holds ${character}: a parameter that nobody binds is NULL`;
  }
  return depth > 0 ? "a parenthesis is never closed" : undefined;
}

function endOfQuoted(text: string, start: number): number | undefined {
  const quote = text[start]!;
  for (let at = text.indexOf(quote, start + 1); at !== -1; at = text.indexOf(quote, at + 2)) {
    if (text[at + 1] !== quote) return at;
  }
  return undefined;
}
