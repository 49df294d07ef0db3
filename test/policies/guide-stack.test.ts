import assert from "node:assert/strict";
import { rules } from "../../policies/rules";
import { guideConfig, guideStack } from "../support/guide-stack";
import { judgeBy } from "../support/judged-stack";

/** The guide's contradictions that infrastructure shows: what is wrong, the rule that finds it, and by which words. */
const CONTRADICTIONS: readonly (readonly [what: string, rule: string, words: RegExp])[] = [
  ["an RPO of an hour against dumps every six", "objectives-met", /loss at least 722 min is above the RPO of 60 min/],
  ["nothing is recovered when the region is lost", "objectives-met", /regional-failure/],
  ["a dump that fails is uploaded all the same", "backup-command", /pipefail/],
  ["only the last command of a script decides", "backup-command", /without set -e/],
  ["uploads go to another bucket than the one that is set up", "backup-command", /s3:\/\/backups, which is no store/],
  ["old backups are deleted also when none is made", "backup-command", /deletes backups itself/],
  ["dumps as the superuser", "backup-command", /superuser/],
  ["a SQLite file that is in use is copied by gzip", "backup-command", /VACUUM INTO/],
  ["whoever writes backups may delete them", "backup-writer-cannot-delete", /s3:DeleteObject/],
  ["backups are staged on the node's disk", "pod-hardening", /mounts a path of the node/],
  ["two dumps may overlap", "cron-job-deadlines", /concurrencyPolicy is Allow/],
  ["a run that hangs stops the schedule", "cron-job-deadlines", /activeDeadlineSeconds is not set/],
  ["retries without an end, finished jobs that stay", "cron-job-deadlines", /backoffLimit is 6/],
  ["the schedule follows whatever clock the controller has", "cron-job-schedule", /spec.timeZone is not set/],
  ["one SQLite file, three writers", "sqlite-one-writer", /replicas is 3/],
  ["a rolling update starts a second writer", "sqlite-one-writer", /RollingUpdate/],
  ["encrypted by S3's own key", "bucket-encryption", /AES256/],
  ["30 + 90 days, and gone after 90", "bucket-lifecycle", /120/],
  ["Glacier bills 90 days and keeps 60", "bucket-lifecycle", /60/],
  ["an expiry of a versioned bucket frees nothing", "bucket-lifecycle", /noncurrent/],
  ["forgotten uploads stay", "bucket-lifecycle", /uploads/],
  ["small dumps never reach the archive", "bucket-lifecycle", /128K/],
  ["public access is not blocked", "bucket-public-access", /BucketPublicAccessBlock/],
  ["plain text is served", "bucket-tls-only", /without TLS/],
  ["anything can be deleted at once", "bucket-object-lock", /objectLockEnabled/],
  ["one region, one account", "bucket-replication", /copied nowhere/],
  ["a copy out of reach of the administrators", "copy-out-of-reach", /administrator/],
  ["the restore test is a Job that ran once", "restore-test-present", /no CronJob/],
  ["an alert if a backup fails, of which there is none", "staleness-alarm", /no alarm/],
  ["a monthly drill that nothing runs", "drill-monthly", /no CronJob drills/],
  ["an image that is another one tomorrow", "pinned-image", /architect-go:latest/],
  ["runs as root, with everything", "pod-hardening", /runAsNonRoot/],
  ["no probes: nobody notices a bad deployment", "deployment-rollback", /no readinessProbe/],
  [
    "a rollout is called failed after ten minutes of an RTO of five",
    "deployment-rollback",
    /progressDeadlineSeconds is 600/,
  ],
  ["a drained node takes every pod", "disruption-budget", /PodDisruptionBudget/],
  ["contacts that nobody reads", "real-contacts", /example\.com/],
  ["a review that is past", "plan-reviewed", /2026-05-18/],
];

describe("the guide's own set-up as a stack", () => {
  const found = new Map<string, string>();

  before(async () => {
    for (const rule of rules) {
      const config = (guideConfig as Record<string, Record<string, unknown>>)[rule.name] ?? {};
      const { violations } = await judgeBy(rule, guideStack(), config);
      found.set(rule.name, violations.map(({ message }) => message).join("\n"));
    }
  });

  for (const [what, rule, words] of CONTRADICTIONS) {
    it(`finds: ${what} (${rule})`, () => assert.match(found.get(rule)!, words));
  }

  it("finds them all", () => {
    const refusing = [...found.values()].filter((messages) => messages !== "").length;
    console.log(`      ${CONTRADICTIONS.length} contradictions of the guide, by ${refusing} rules of ${rules.length}`);
  });
});
