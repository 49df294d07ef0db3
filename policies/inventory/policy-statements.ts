/** One statement of an IAM or resource policy, as programs write it: one value may stand for a list of one. */
export interface PolicyStatement {
  readonly Effect?: string;
  readonly Principal?: unknown;
  readonly Action?: string | readonly string[];
  readonly NotAction?: string | readonly string[];
  readonly Resource?: string | readonly string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;
}

/** The statements of a policy document, which resources take as text or as an object; none of what is not one. */
export function statementsOf(policy: unknown): readonly PolicyStatement[] {
  const document = (typeof policy === "string" ? parsed(policy) : policy) as
    { readonly Statement?: PolicyStatement | readonly PolicyStatement[] } | undefined | null;
  const statement = document?.Statement;
  if (statement === undefined) return [];
  return Array.isArray(statement) ? (statement as readonly PolicyStatement[]) : [statement as PolicyStatement];
}

/** One value or several as a list. */
export function values(oneOrMany: string | readonly string[] | undefined): readonly string[] {
  if (oneOrMany === undefined) return [];
  return typeof oneOrMany === "string" ? [oneOrMany] : oneOrMany;
}

/** Whether a pattern of IAM (`s3:Delete*`) takes in an action. */
export function matchesAction(pattern: string, action: string): boolean {
  const expression = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replace(/\*/g, ".*")
    .replace(/\?/g, ".");
  return new RegExp(`^${expression}$`, "i").test(action);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
