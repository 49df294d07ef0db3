import { delimiter } from "node:path";
import { findPostgresTools, type PostgresTools } from "../../job-images/src/engines/postgres/tools";

/** A PostgreSQL that is not the machine's own. */
export interface OtherPostgres {
  readonly tools: PostgresTools;
  /** What the runner finds it by. */
  readonly env: NodeJS.ProcessEnv;
}

/** Folders of PostgreSQL's programs beside those of the machine, as `.ci/run` installs them. */
const bins = (process.env.DR_TEST_POSTGRES_BINS ?? "").split(delimiter).filter((bin) => bin !== "");

/** Why there is no PostgreSQL of a version; undefined when there is. */
export async function whyNoPostgres(major: number): Promise<string | undefined> {
  if (await otherPostgres(major)) return undefined;
  return `there is no PostgreSQL ${major}: DR_TEST_POSTGRES_BINS names folders of its programs, and .ci/run installs them`;
}

/** The PostgreSQL of a version. */
export async function otherPostgres(major: number): Promise<OtherPostgres | undefined> {
  for (const bin of bins) {
    const env = { DR_POSTGRES_BIN: bin };
    const before = process.env.DR_POSTGRES_BIN;
    Object.assign(process.env, env);
    try {
      const tools = (await findPostgresTools()).find((each) => each.program("postgres").startsWith(bin));
      if (tools?.major === major) return { tools, env };
    } finally {
      if (before === undefined) delete process.env.DR_POSTGRES_BIN;
      else process.env.DR_POSTGRES_BIN = before;
    }
  }
  return undefined;
}
