import { type Fixture } from "./judged-stack";

const LABEL = { "recovery.sqlite/notes": "file" };
const POD = "spec.template.spec";
const JOB_POD = "spec.jobTemplate.spec.template.spec";

/** An application whose file is streamed by a sidecar, and a backup beside it. */
export const streamedFileStack: readonly Fixture[] = [
  {
    type: "kubernetes:apps/v1:StatefulSet",
    name: "notes",
    props: {
      metadata: { name: "notes", namespace: "notes" },
      spec: {
        replicas: 1,
        template: {
          metadata: { labels: { app: "notes", ...LABEL } },
          spec: {
            securityContext: { runAsUser: 1000 },
            initContainers: [
              { name: "restore", command: ["litestream", "restore", "-if-db-not-exists", "/data/notes.db"] },
              { name: "stream", command: ["litestream", "replicate"] },
            ],
            containers: [{ name: "notes", image: "notes" }],
          },
        },
        volumeClaimTemplates: [{ metadata: { name: "data" }, spec: { accessModes: ["ReadWriteOnce"] } }],
      },
    },
  },
  {
    type: "kubernetes:batch/v1:CronJob",
    name: "backup",
    props: {
      metadata: { name: "backup", namespace: "notes" },
      spec: {
        jobTemplate: {
          spec: {
            template: {
              spec: {
                securityContext: { runAsUser: 1000 },
                affinity: {
                  podAffinity: {
                    requiredDuringSchedulingIgnoredDuringExecution: [
                      { labelSelector: { matchLabels: LABEL }, topologyKey: "kubernetes.io/hostname" },
                    ],
                  },
                },
                containers: [
                  { name: "backup", command: ["dr", "backup"], volumeMounts: [{ name: "data", readOnly: false }] },
                ],
                volumes: [{ name: "data", persistentVolumeClaim: { claimName: "data-notes-0", readOnly: false } }],
              },
            },
          },
        },
      },
    },
  },
];

const AFFINITY = `${JOB_POD}.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution`;

/** Rule, resource, property, the values that spoil it, and what the message has to say. */
export const SPOILED_STREAMED_FILES: readonly (readonly [string, string, string, readonly unknown[], RegExp])[] = [
  [
    "sqlite-restored-first",
    "notes",
    `${POD}.initContainers.0`,
    [{ name: "x", command: ["true"] }],
    /no init container/,
  ],
  ["sqlite-restored-first", "notes", `${POD}.initContainers.0.command`, [["litestream", "databases"]], /no init/],
  [
    "sqlite-fails-closed",
    "notes",
    `${POD}.initContainers.0.command`,
    [["litestream", "restore", "-if-db-not-exists", "-if-replica-exists", "/data/notes.db"]],
    /first start/,
  ],
  ["sqlite-backup-beside", "backup", AFFINITY, [undefined, []], /no required pod affinity/],
  ["sqlite-backup-beside", "backup", `${AFFINITY}.0.topologyKey`, ["topology.kubernetes.io/zone"], /no required/],
  ["sqlite-backup-beside", "backup", `${AFFINITY}.0.labelSelector.matchLabels`, [{ app: "other" }], /selects no pod/],
  ["sqlite-backup-beside", "notes", "spec.template", [{ metadata: {}, spec: {} }], /selects no pod/],
  ["sqlite-backup-beside", "backup", `${JOB_POD}.securityContext.runAsUser`, [undefined, 10001], /lock that out/],
  ["sqlite-backup-beside", "backup", `${JOB_POD}.volumes.0.persistentVolumeClaim.readOnly`, [true], /read-only/],
  ["sqlite-backup-beside", "backup", `${JOB_POD}.containers.0.volumeMounts.0.readOnly`, [true], /read-only/],
];
