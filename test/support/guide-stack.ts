import { type Fixture } from "./judged-stack";

const IMAGE = "architect-go:latest";

const cronJob = (name: string, schedule: string, script: string): Fixture => ({
  type: "kubernetes:batch/v1:CronJob",
  name,
  props: {
    metadata: { name },
    spec: {
      schedule,
      jobTemplate: {
        spec: {
          template: {
            spec: {
              restartPolicy: "Never",
              volumes: [{ name: "backups", hostPath: { path: "/backups" } }],
              containers: [{ name, image: IMAGE, command: ["/bin/sh", "-c", script] }],
            },
          },
        },
      },
    },
  },
});

/**
 * The guide's own set-up, as literally as a stack can say it: the bucket as its commands make it, its scripts in CronJobs
 * on its schedule, its weekly Job, its application, its contacts, and the role that those scripts need.
 */
export function guideStack(): Fixture[] {
  const setting = (kind: string, name: string, props: Record<string, unknown>): Fixture => ({
    type: `aws:s3/${kind}:${kind[0]!.toUpperCase()}${kind.slice(1)}`,
    name,
    props: { bucket: "architect-backups", ...props },
    dependsOn: { bucket: ["architect-backups"] },
  });
  return [
    { type: "aws:s3/bucket:Bucket", name: "architect-backups", props: { bucket: "architect-backups" } },
    setting("bucketVersioning", "versioning", { versioningConfiguration: { status: "Enabled" } }),
    setting("bucketServerSideEncryptionConfiguration", "encryption", {
      rules: [{ applyServerSideEncryptionByDefault: { sseAlgorithm: "AES256" } }],
    }),
    setting("bucketLifecycleConfiguration", "lifecycle", {
      rules: [
        {
          id: "Archive",
          status: "Enabled",
          transitions: [{ days: 30, storageClass: "GLACIER" }],
          expiration: { days: 90 },
        },
      ],
    }),
    cronJob(
      "postgres-backup",
      "0 */6 * * *",
      `BACKUP_DIR="/backups/postgresql"
DATE=$(date +%Y%m%d_%H%M%S)
BACKUP_FILE="$BACKUP_DIR/architect_$DATE.sql.gz"
pg_dump -U postgres architect | gzip > "$BACKUP_FILE"
aws s3 cp "$BACKUP_FILE" s3://backups/architect/
find "$BACKUP_DIR" -name "architect_*.sql.gz" -mtime +30 -delete
echo "Backup completed: $BACKUP_FILE"`,
    ),
    cronJob(
      "sqlite-backup",
      "0 */6 * * *",
      `BACKUP_DIR="/backups/sqlite"
DATE=$(date +%Y%m%d_%H%M%S)
gzip -c /data/architect.db > "$BACKUP_DIR/architect_$DATE.db.gz"
aws s3 cp "$BACKUP_DIR/architect_$DATE.db.gz" s3://backups/architect/
find "$BACKUP_DIR" -name "architect_*.db.gz" -mtime +30 -delete`,
    ),
    // A Job has no schedule: it ran once, when it was applied.
    {
      type: "kubernetes:batch/v1:Job",
      name: "backup-restore-test",
      props: {
        metadata: { name: "backup-restore-test" },
        spec: {
          backoffLimit: 3,
          template: { spec: { restartPolicy: "Never", containers: [{ name: "restore-test", image: IMAGE }] } },
        },
      },
    },
    {
      type: "kubernetes:apps/v1:Deployment",
      name: "architect-go",
      props: {
        metadata: { name: "architect-go" },
        spec: {
          replicas: 3,
          template: {
            metadata: { labels: { app: "architect-go" } },
            spec: { containers: [{ name: "app", image: IMAGE, args: ["--database", "/data/architect.db"] }] },
          },
        },
      },
    },
    {
      type: "aws:iam/rolePolicy:RolePolicy",
      name: "backup",
      props: {
        policy: {
          Statement: [{ Effect: "Allow", Action: ["s3:PutObject", "s3:GetObject", "s3:DeleteObject"], Resource: "*" }],
        },
      },
    },
    { type: "aws:sns/topic:Topic", name: "contacts", props: { name: "contacts" } },
    ...["database-team", "ops-lead", "vp-eng"].map((name): Fixture => ({
      type: "aws:sns/topicSubscription:TopicSubscription",
      name,
      props: { protocol: "email", endpoint: `${name}@example.com` },
      dependsOn: { topic: ["contacts"] },
    })),
  ];
}

/** The rest of what the guide says: its objectives are the defaults, and its document was to be read again by then. */
export const guideConfig = { "plan-reviewed": { nextReview: "2026-05-18" } };
