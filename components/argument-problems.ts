import { InputPropertiesError } from "@pulumi/pulumi";

/**
 * The problems of one argument object. They are collected before a component registers anything and thrown as one
 * error, whose message holds the whole list: outside of plugins the Pulumi CLI prints the message and nothing else.
 */
export class ArgumentProblems {
  private readonly problems: { propertyPath: string; reason: string }[] = [];

  /** Notes a problem once: what was expected and what was given. */
  add(propertyPath: string, reason: string): void {
    const known = this.problems.some((problem) => problem.propertyPath === propertyPath && problem.reason === reason);
    if (!known) this.problems.push({ propertyPath, reason });
  }

  /**
   * Notes the problems of a part's arguments, so that a component names those of all its parts before it registers one.
   *
   * @param pathHere what the part's property is called in the arguments of the whole
   */
  addAll(part: ArgumentProblems, pathHere: (propertyPath: string) => string): void {
    for (const { propertyPath, reason } of part.problems) this.add(pathHere(propertyPath), reason);
  }

  /** Notes a problem unless the condition holds. */
  expect(holds: boolean, propertyPath: string, expected: string, got: unknown): void {
    if (!holds) this.add(propertyPath, `expected ${expected}, got ${JSON.stringify(got) ?? "nothing"}`);
  }

  /** Notes a problem unless the value is absent or a whole number within these bounds. */
  expectInteger(propertyPath: string, value: number | undefined, least: number, most = Number.MAX_SAFE_INTEGER): void {
    const bounds = most === Number.MAX_SAFE_INTEGER ? `of ${least} or more` : `from ${least} to ${most}`;
    const holds = value === undefined || (Number.isInteger(value) && value >= least && value <= most);
    this.expect(holds, propertyPath, `a whole number ${bounds}`, value);
  }

  /** Notes a problem unless the value is absent or one of these. */
  expectOneOf(propertyPath: string, value: string | undefined, choices: Readonly<Record<string, string>>): void {
    const known = Object.values(choices);
    this.expect(value === undefined || known.includes(value), propertyPath, `one of ${known.join(", ")}`, value);
  }

  /**
   * @throws InputPropertiesError naming every problem, when there is one
   */
  throwIfAny(component: string, name: string): void {
    if (this.problems.length === 0) return;
    const count = this.problems.length === 1 ? "1 invalid argument" : `${this.problems.length} invalid arguments`;
    const list = this.problems.map(({ propertyPath, reason }) => `  - ${propertyPath}: ${reason}`);
    throw new InputPropertiesError({
      message: `${component} ${JSON.stringify(name)}: ${count}\n${list.join("\n")}`,
      errors: this.problems,
    });
  }
}
