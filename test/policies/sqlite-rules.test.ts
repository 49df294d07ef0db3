import assert from "node:assert/strict";
import { rules } from "../../policies/rules";
import { type Fixture, judgeBy, spoiled, unknownValue } from "../support/judged-stack";

const LABEL = { "recovery.sqlite/notes": "file" };
const POD = "spec.template.spec";
const JOB_POD = "spec.jobTemplate.spec.template.spec";

/** An application whose file is streamed by a sidecar, and a backup beside it. */
const streamed: Fixture[] = [
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
const SPOILED: readonly (readonly [string, string, string, readonly unknown[], RegExp])[] = [
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

describe("the rules of SQLite files that are streamed", () => {
  const names = [...new Set(SPOILED.map(([name]) => name))];
  const ruleNamed = (name: string) => rules.find((rule) => rule.name === name)!;

  for (const name of names) {
    it(`[guide 12] ${name} finds nothing wrong with an honest stack`, async () => {
      assert.deepEqual(await judgeBy(ruleNamed(name), streamed), { violations: [], inconclusive: undefined });
    });
  }

  for (const [name, resource, path, values, message] of SPOILED) {
    it(`${name} refuses ${resource} with another ${path}`, async () => {
      for (const value of values) {
        const { violations } = await judgeBy(ruleNamed(name), spoiled(streamed, resource, path, value));
        assert.ok(violations.length > 0, `${JSON.stringify(value)} passed`);
        for (const { message: said, urn } of violations) {
          assert.match(said, message);
          assert.match(urn!, /^urn:pulumi:/);
        }
      }
    });

    it(`${name} does not pass ${resource} while its ${path} is unknown`, async () => {
      const { violations, inconclusive } = await judgeBy(
        ruleNamed(name),
        spoiled(streamed, resource, path, unknownValue),
      );
      assert.ok(violations.length > 0 || inconclusive !== undefined, "it passed");
    });
  }
});
