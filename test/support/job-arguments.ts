import { Engine, type JobArgs, type RdsSourceArgs } from "../../components";

/** A job's arguments with nothing wrong with them. */
export const validJobArgs: JobArgs = {
  application: "architect-go",
  environment: "prod",
  region: "eu-central-1",
  namespace: "architect-go",
  image: `registry.example.com/dr@sha256:${"ab".repeat(32)}`,
  storeUrl: "s3://architect-go-prod-backups?region=eu-central-1&expectedBucketOwner=111122223333",
  databases: [
    {
      name: "architect",
      engine: Engine.Postgres,
      url: "postgresql://backup@db.internal:5432/architect",
      passwordSecret: { name: "architect-backup", key: "password" },
      sizeGib: 40,
      cidrs: ["10.0.4.0/24"],
    },
  ],
};

/** The same databases as RDS has them, each an instance of its own name. */
export function restoredByRds(args: JobArgs, own: RdsSourceArgs = {}): JobArgs {
  const databases = args.databases.map((database) => ({
    ...database,
    engine: Engine.Rds,
    rds: { instanceIdentifier: `${database.name}-prod`, ...own },
  }));
  return { ...args, databases };
}
