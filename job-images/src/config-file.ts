import { readFileSync } from "node:fs";
import { type DatabaseConfig, type JobConfig, parseJobConfig } from "../../recovery";
import { UsageError } from "./errors";

/**
 * Reads the job configuration.
 *
 * @param path @default $DR_CONFIG, else dr.json
 * @throws UsageError with every problem at once
 */
export function readConfig(path = process.env.DR_CONFIG ?? "dr.json"): JobConfig {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new UsageError(
      `The job configuration ${path} cannot be read: ${(error as Error).message}. Name one with --config or DR_CONFIG.`,
    );
  }
  const { config, problems } = parseJobConfig(text);
  if (!config) throw new UsageError(`The job configuration ${path} has ${count(problems.length)}:`, problems);
  return config;
}

function count(problems: number): string {
  return problems === 1 ? "a problem" : `${problems} problems`;
}

/** The databases that a command is about: the one of that name, or all. @throws UsageError */
export function databasesNamed(config: JobConfig, name: string | undefined): readonly DatabaseConfig[] {
  if (name === undefined) return config.databases;
  const found = config.databases.find((database) => database.name === name);
  if (found) return [found];
  const known = config.databases.map((database) => database.name).join(", ");
  throw new UsageError(`The configuration has no database ${JSON.stringify(name)}; it has ${known}.`);
}

/** One database: the named one, or the only one. @throws UsageError */
export function oneDatabase(config: JobConfig, name: string | undefined): DatabaseConfig {
  const databases = databasesNamed(config, name);
  const [database] = databases;
  if (database && databases.length === 1) return database;
  throw new UsageError(`Name the database: ${databases.map(({ name: each }) => each).join(", ")}.`);
}
