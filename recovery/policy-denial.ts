/** One request, as far as a refusal needs to know it. */
export interface PolicyRequest {
  /** ARN of the role or user that asks. */
  readonly principalArn: string;
  /** As IAM names it, for instance `s3:DeleteObjectVersion`. */
  readonly action: string;
  readonly resourceArn: string;
}

interface ForeignStatement {
  readonly Sid?: unknown;
  readonly Effect?: unknown;
  readonly Principal?: unknown;
  readonly NotPrincipal?: unknown;
  readonly Action?: unknown;
  readonly NotAction?: unknown;
  readonly Resource?: unknown;
  readonly NotResource?: unknown;
  readonly Condition?: unknown;
}

/**
 * The statement of a resource's policy that certainly refuses a request, or nothing when none certainly does. An
 * explicit refusal decides whatever any other policy allows (IAM User Guide, "Policy evaluation logic"), so this judges
 * what must not be tried: deleting a key, taking a policy away, shortening a real lock. It errs on one side only: a
 * condition on anything but the principal, and whatever else it does not understand, counts as no refusal.
 *
 * @param policy the policy's JSON text, of anybody's making
 * @throws Error when it is not JSON
 */
export function explicitDenial(policy: string, request: PolicyRequest): { readonly sid: string } | undefined {
  const { Statement } = JSON.parse(policy) as { Statement?: unknown };
  const statements = (Array.isArray(Statement) ? Statement : [Statement]) as (ForeignStatement | undefined)[];
  const index = statements.findIndex(
    (statement) => statement?.Effect === "Deny" && certainlyMatches(statement, request),
  );
  if (index < 0) return undefined;
  const sid = statements[index]!.Sid;
  return { sid: typeof sid === "string" ? sid : `statement ${index + 1}` };
}

function certainlyMatches(statement: ForeignStatement, request: PolicyRequest): boolean {
  const { Action, NotAction, Resource, NotResource, Condition } = statement;
  const action = request.action.toLowerCase();
  const actionMatches = (patterns: unknown): boolean =>
    textsOf(patterns).some((pattern) => isLike(pattern.toLowerCase(), action));
  const resourceMatches = (patterns: unknown): boolean =>
    textsOf(patterns).some((pattern) => isLike(pattern, request.resourceArn));
  return (
    principalMatches(statement, request.principalArn) &&
    (Action === undefined ? NotAction !== undefined && !actionMatches(NotAction) : actionMatches(Action)) &&
    (Resource === undefined ? NotResource !== undefined && !resourceMatches(NotResource) : resourceMatches(Resource)) &&
    conditionsMatch(Condition, request.principalArn)
  );
}

function principalMatches({ Principal, NotPrincipal }: ForeignStatement, arn: string): boolean {
  // NotPrincipal is of sessions as well as of roles: better not to judge by it.
  if (NotPrincipal !== undefined) return false;
  if (Principal === "*") return true;
  const named = textsOf((Principal as { AWS?: unknown } | undefined)?.AWS);
  return named.some((each) => each === "*" || each === arn);
}

/** Only conditions on the principal's ARN are known here; any other may or may not hold. */
function conditionsMatch(condition: unknown, principalArn: string): boolean {
  return Object.entries((condition ?? {}) as Record<string, Record<string, unknown>>).every(([operator, keys]) => {
    const match = /^(?:Arn|String)(Not)?(?:Equals|Like)(?:IfExists)?$/.exec(operator);
    if (!match) return false;
    return Object.entries(keys).every(([key, values]) => {
      if (key.toLowerCase() !== "aws:principalarn") return false;
      const isPlain = operator.startsWith("StringEquals") || operator.startsWith("StringNotEquals");
      const matches = textsOf(values).some((value) => (isPlain ? value === principalArn : isLike(value, principalArn)));
      return match[1] === undefined ? matches : !matches;
    });
  });
}

function textsOf(value: unknown): string[] {
  return (Array.isArray(value) ? value : [value]).filter((each): each is string => typeof each === "string");
}

/** `*` and `?` as IAM has them. A policy variable matches nothing that is certain. */
function isLike(pattern: string, text: string): boolean {
  if (pattern.includes("${")) return false;
  const source = pattern.replace(/[.*+?^${}()|[\]\\]/g, (special) =>
    special === "*" ? "[^]*" : special === "?" ? "[^]" : `\\${special}`,
  );
  return new RegExp(`^${source}$`).test(text);
}
