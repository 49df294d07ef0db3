import { Framework } from "../frameworks";
import { backupStores } from "../inventory/backup-stores";
import { type PolicyStatement, matchesAction, statementsOf, values } from "../inventory/policy-statements";
import { ResourceTypes } from "../inventory/resource-types";
import { identifiersOf, type JudgedResource } from "../inventory/stack-resources";
import { stackRule } from "../rule";

/** What destroys backups, or shortens the time for which they cannot be. */
const DESTRUCTIVE = [
  "s3:DeleteObject",
  "s3:DeleteObjectVersion",
  "s3:DeleteBucket",
  "s3:BypassGovernanceRetention",
  "s3:PutLifecycleConfiguration",
  "s3:PutBucketVersioning",
  "s3:PutBucketObjectLockConfiguration",
  "s3:PutBucketPolicy",
  "s3:DeleteBucketPolicy",
];

/** Retention is the lifecycle's: a job that deletes, or a thief with its role, has nothing to delete with. */
export const backupWriterCannotDelete = stackRule({
  name: "backup-writer-cannot-delete",
  description: "No role that writes backups may delete them or loosen what protects them.",
  severity: "critical",
  framework: Framework.SecureBackup,
  remediationSteps: "Take the destructive actions out of the role's policy; let the bucket's lifecycle expire backups.",
  url: "https://docs.aws.amazon.com/AmazonS3/latest/userguide/security-best-practices.html",
  checks: (stack) =>
    stack.ofTypes(ResourceTypes.IdentityPolicy).map((policy) => ({
      urn: policy.urn,
      check: () => {
        const statements = statementsOf(policy.props.policy).filter(({ Effect }) => Effect === "Allow");
        const onStores = statements.filter((statement) => isAboutStore(statement, policy, backupStores(stack)));
        if (!onStores.some((statement) => allows(statement, "s3:PutObject"))) return undefined;
        const destructive = DESTRUCTIVE.filter((action) => onStores.some((statement) => allows(statement, action)));
        return destructive.length === 0
          ? undefined
          : `may write backups and also ${destructive.join(", ")}; expected none of these`;
      },
    })),
});

function allows({ Action, NotAction }: PolicyStatement, action: string): boolean {
  if (NotAction !== undefined) return !values(NotAction).some((pattern) => matchesAction(pattern, action));
  return values(Action).some((pattern) => matchesAction(pattern, action));
}

function isAboutStore(
  { Resource }: PolicyStatement,
  policy: JudgedResource,
  stores: readonly JudgedResource[],
): boolean {
  const sources = policy.propertyDependencies.policy ?? [];
  return values(Resource).some(
    (resource) =>
      /^arn:[a-z-]+:s3:::\*|^\*$/.test(resource) ||
      (resource.includes(":s3:::") &&
        stores.some(
          (store) =>
            sources.some(({ urn }) => urn === store.urn) ||
            identifiersOf(store).includes(resource.split(":::")[1]?.split("/")[0] ?? ""),
        )),
  );
}
