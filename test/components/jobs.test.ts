import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import fc from "fast-check";
import {
  BackupJob,
  Engine,
  IdentityProvider,
  type JobArgs,
  NetworkPolicyKind,
  PointInTimeTestJob,
  ProofJob,
  type RdsSourceArgs,
  ReaperJob,
  RestoreTestJob,
  StatusJob,
} from "../../components";
import { largestGapMinutes, parseJobConfig, parseSchedule, scheduleProblems, smallestGapMinutes } from "../../recovery";
import { restoredByRds, validJobArgs as args } from "../support/job-arguments";
import { register, type RegisteredResources } from "../support/registered-resources";

type CronJob = Required<kubernetes.types.output.batch.v1.CronJob>;
type NetworkPolicy = kubernetes.types.output.networking.v1.NetworkPolicy;

const jobs = {
  backup: (given: JobArgs) => new BackupJob("architect-backup", given),
  "restore-test": (given: JobArgs) => new RestoreTestJob("architect-restore-test", given),
  prove: (given: JobArgs) => new ProofJob("architect-prove", given),
  "point-in-time-test": (given: JobArgs) =>
    new PointInTimeTestJob("architect-point-in-time-test", restoredByRds(given)),
  reap: (given: JobArgs) => new ReaperJob("architect-reap", restoredByRds(given)),
  status: (given: JobArgs) => new StatusJob("architect-status", { ...given, backupSchedule: "0 */6 * * *" }),
} as const;
type Kind = keyof typeof jobs;
const kinds = Object.keys(jobs) as Kind[];

const make = (kind: Kind, given: JobArgs = args, options = {}) => register(() => void jobs[kind](given), options);
const cronJobOf = (made: RegisteredResources, kind: Kind) =>
  made.inputs("kubernetes:batch/v1:CronJob", `architect-${kind}`) as unknown as CronJob;
const podOf = (made: RegisteredResources, kind: Kind) => cronJobOf(made, kind).spec.jobTemplate.spec.template;
const configOf = (made: RegisteredResources, kind: Kind) => {
  const { data } = made.inputs("kubernetes:core/v1:ConfigMap", `architect-${kind}`) as { data: Record<string, string> };
  return data["dr.json"]!;
};

describe("the hardened job", () => {
  for (const kind of kinds) {
    it(`[guide 19, 21, 48] ${kind} runs one at a time, ends before the next, and is not repeated in vain`, async () => {
      const made = await make(kind);
      const { schedule, timeZone, concurrencyPolicy, startingDeadlineSeconds, jobTemplate } = cronJobOf(
        made,
        kind,
      ).spec;
      assert.deepEqual(scheduleProblems(schedule, timeZone), []);
      assert.equal(concurrencyPolicy, "Forbid");
      const interval = smallestGapMinutes(parseSchedule(schedule)) * 60;
      assert.ok(jobTemplate.spec.activeDeadlineSeconds < interval && startingDeadlineSeconds < interval);
      assert.equal(jobTemplate.spec.ttlSecondsAfterFinished, 259_200);
      assert.deepEqual(jobTemplate.spec.podFailurePolicy.rules, [
        { action: "Ignore", onPodConditions: [{ type: "DisruptionTarget", status: "True" }] },
        { action: "FailJob", onExitCodes: { containerName: kind, operator: "In", values: [2, 3] } },
      ]);
      assert.equal(podOf(made, kind).spec.restartPolicy, "Never");
    });

    it(`${kind} has no rights that its work does not need`, async () => {
      const { spec } = podOf(await make(kind), kind);
      assert.deepEqual(spec.securityContext, {
        runAsNonRoot: true,
        runAsUser: 10001,
        runAsGroup: 10001,
        fsGroup: 10001,
        fsGroupChangePolicy: "OnRootMismatch",
        seccompProfile: { type: "RuntimeDefault" },
      });
      const [container] = spec.containers;
      assert.equal(spec.containers.length, 1);
      assert.deepEqual(container!.securityContext, {
        allowPrivilegeEscalation: false,
        privileged: false,
        readOnlyRootFilesystem: true,
        runAsNonRoot: true,
        capabilities: { drop: ["ALL"] },
      });
      assert.equal(spec.automountServiceAccountToken, false);
      assert.equal(container!.resources.requests.memory, container!.resources.limits.memory);
      assert.equal(container!.image, args.image);
    });

    it(`${kind} reads a configuration that the runner takes, and changes with it`, async () => {
      const made = await make(kind);
      const text = configOf(made, kind);
      const { config, problems } = parseJobConfig(text);
      assert.equal(problems, undefined);
      assert.equal(config.environment, "prod");
      const hash = createHash("sha256").update(text).digest("hex");
      assert.equal(podOf(made, kind).metadata.annotations["recovery.config-hash"], hash);
      const other = await make(kind, { ...args, objectives: { rpoMinutes: 30 } });
      assert.notEqual(podOf(other, kind).metadata.annotations["recovery.config-hash"], hash);
    });

    it(`${kind} previews with nothing known`, async () => {
      const made = await make(kind, args, { preview: true });
      assert.equal(cronJobOf(made, kind).spec.concurrencyPolicy, "Forbid");
    });
  }

  it("writes the backup's schedule into the configuration once, as it is in force", async () => {
    const made = await make("backup");
    const { config } = parseJobConfig(configOf(made, "backup"));
    assert.equal(config!.databases[0]!.backup!.schedule, cronJobOf(made, "backup").spec.schedule);
  });

  it("gives the password by reference, to the backup and to whoever logs in to a copy of RDS alone", async () => {
    const backup = podOf(await make("backup"), "backup").spec;
    const volume = backup.volumes.find(({ name }) => name === "password-architect");
    assert.deepEqual(volume?.secret, {
      secretName: "architect-backup",
      items: [{ key: "password", path: "password" }],
      defaultMode: 0o440,
    });
    const copied = podOf(await make("point-in-time-test"), "point-in-time-test").spec;
    assert.deepEqual(copied.volumes.find(({ name }) => name === "password-architect")?.secret, volume.secret);
    for (const kind of ["restore-test", "prove", "reap", "status"] as const) {
      const made = await make(kind);
      assert.ok(podOf(made, kind).spec.volumes.every(({ secret }) => secret === undefined));
      assert.ok(!configOf(made, kind).includes("passwordFile"));
    }
  });

  it("works on a volume of its own, as large as the restored copy needs", async () => {
    const { spec } = podOf(await make("restore-test"), "restore-test");
    const scratch = spec.volumes.find(({ name }) => name === "scratch")!;
    assert.equal(scratch.ephemeral.volumeClaimTemplate.spec.resources.requests.storage, "81Gi");
    const [container] = spec.containers;
    assert.deepEqual(container!.env, [
      { name: "DR_CONFIG", value: "/etc/dr/dr.json" },
      { name: "TMPDIR", value: "/scratch" },
      { name: "HOME", value: "/scratch" },
      { name: "AWS_REGION", value: "eu-central-1" },
    ]);
    const shared = spec.volumes.find(({ name }) => name === "shared-memory")!;
    assert.deepEqual(shared.emptyDir, { medium: "Memory", sizeLimit: "1Gi" });
  });

  it("names the role on the service account with IRSA", async () => {
    const roleArn = "arn:aws:iam::111122223333:role/backup-writer";
    const made = await make("backup", { ...args, identityProvider: IdentityProvider.Irsa, roleArn });
    const { metadata } = made.inputs("kubernetes:core/v1:ServiceAccount", "architect-backup");
    assert.deepEqual((metadata as { annotations: object }).annotations, { "eks.amazonaws.com/role-arn": roleArn });
  });

  it("names every invalid argument in one message, and registers nothing", async () => {
    const made = await register(() =>
      assert.throws(
        () =>
          new BackupJob("Backup", {
            ...args,
            image: "dr:latest",
            schedule: "0 0 * * 7",
            timeZone: "Berlin",
            activeDeadlineSeconds: 0,
            databases: [
              { ...args.databases[0]!, cidrs: ["10.0.4.0"], url: "postgresql://backup:secret@db/architect" },
              { ...args.databases[0]!, engine: Engine.Sqlite, sizeGib: 0 },
            ],
          }),
        (error: Error) => {
          assert.ok(pulumi.InputPropertiesError.isInstance(error));
          for (const text of [
            'BackupJob "Backup": ',
            "name: expected at most 52 lower-case letters",
            "image: expected an image pinned by digest",
            "schedule: schedule ",
            'time zone "Berlin"',
            "activeDeadlineSeconds: expected a whole number of 1 or more, got 0",
            'databases[0].cidrs[0]: expected an address range, as in 10.0.4.0/24, got "10.0.4.0"',
            "databases[0].url: must not hold a password",
            "databases[1].name: architect is used twice",
            'databases[1].engine: expected postgres or rds, got "sqlite"',
            "databases[1].sizeGib: expected a size in GiB above 0, got 0",
          ]) {
            assert.ok(error.message.includes(text), `${text}\nis not in\n${error.message}`);
          }
          assert.ok(!error.message.includes("secret@"));
          return true;
        },
      ),
    );
    assert.deepEqual(made.all, []);
    assert.throws(() => new BackupJob("backup", { ...args, activeDeadlineSeconds: 21_600 }), /the next run is due/);
  });

  it("takes any schedule that Kubernetes takes, with deadlines that fit it", async () => {
    const schedules = fc.constantFrom("@hourly", "*/7 * * * *", "0 2 * * 1-5", "59 23 * * *", "0 0,1 * * *", "bad", "");
    await fc.assert(
      fc.asyncProperty(schedules, async (schedule) => {
        let refused = false;
        const made = await register(() => {
          try {
            jobs.backup({ ...args, schedule });
          } catch {
            refused = true;
          }
        });
        assert.equal(refused, scheduleProblems(schedule).length > 0);
        if (refused) return assert.deepEqual(made.all, []);
        const { spec } = cronJobOf(made, "backup");
        assert.deepEqual(scheduleProblems(spec.schedule), []);
        const interval = smallestGapMinutes(parseSchedule(spec.schedule)) * 60;
        assert.ok(spec.jobTemplate.spec.activeDeadlineSeconds < interval);
      }),
      { numRuns: 14 },
    );
  });
});

describe("the jobs of a database that RDS restores", () => {
  const source = { instanceIdentifier: "architect-prod" };
  const test = (rds: RdsSourceArgs, own: Partial<JobArgs> = {}) =>
    new PointInTimeTestJob("architect-point-in-time-test", {
      ...args,
      databases: [{ ...args.databases[0]!, engine: Engine.Rds, rds }],
      ...own,
    });

  it("[guide 48] test its log weekly, and delete hourly what such a test has left", async () => {
    const made = await make("point-in-time-test");
    const { spec } = cronJobOf(made, "point-in-time-test");
    assert.equal(largestGapMinutes(parseSchedule(spec.schedule), "Etc/UTC"), 7 * 24 * 60);
    assert.deepEqual(podOf(made, "point-in-time-test").spec.containers[0]!.command, [
      ...["dr", "restore-test", "--from-stream", "--json"],
    ]);
    const reaper = await make("reap");
    assert.equal(largestGapMinutes(parseSchedule(cronJobOf(reaper, "reap").spec.schedule), "Etc/UTC"), 60);
    assert.deepEqual(podOf(reaper, "reap").spec.containers[0]!.command, ["dr", "reap", "--json"]);
  });

  it("[guide 30] every job is told the instance, its secret and where tests are made", async () => {
    const secretArn = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:architect-AbCdEf";
    const own = { subnetGroup: "restore-tests", securityGroupIds: ["sg-0a1b"], cidrs: ["10.0.8.0/24"] };
    const given = restoredByRds(args, { secretArn, restoreMinutes: 90, test: own });
    for (const kind of ["backup", "restore-test", "status"] as const) {
      const { config } = parseJobConfig(configOf(await make(kind, given), kind));
      assert.deepEqual(config!.databases[0]!.rds, {
        instanceIdentifier: "architect-prod",
        region: "eu-central-1",
        secretArn,
        restoreMinutes: 90,
        test: { subnetGroup: "restore-tests", securityGroupIds: ["sg-0a1b"] },
      });
    }
  });

  it("are refused where the reaper would come before the test is done, or RDS takes longer than the test may", () => {
    const cases: readonly (readonly [RdsSourceArgs, Partial<JobArgs>, RegExp])[] = [
      [{}, {}, /databases\[0\].rds: expected either instanceIdentifier or clusterIdentifier/],
      [{ ...source, clusterIdentifier: "c" }, {}, /databases\[0\].rds: expected either/],
      [{ instanceIdentifier: "Architect" }, {}, /rds.instanceIdentifier: expected lower-case letters/],
      [{ ...source, restoreMinutes: 0 }, {}, /rds.restoreMinutes: expected a whole number of 1 or more, got 0/],
      [{ ...source, test: { ttlMinutes: 180 } }, {}, /rds.test.ttlMinutes: expected more than restoreMinutes \(180\)/],
      [{ ...source, test: { ttlMinutes: 359 } }, {}, /rds.test.ttlMinutes: expected 360 or more, got 359: the reaper/],
      [{ ...source, test: { cidrs: ["10.0.8.0"] } }, {}, /rds.test.cidrs\[0\]: expected an address range/],
      [source, { activeDeadlineSeconds: 10_800 }, /rds.restoreMinutes: expected less than 180/],
      [source, { databases: args.databases }, /databases\[0\].engine: expected rds/],
    ];
    for (const [rds, own, message] of cases) assert.throws(() => test(rds, own), message);
    assert.throws(
      () => new BackupJob("backup", { ...args, databases: [{ ...args.databases[0]!, rds: source }] }),
      /databases\[0\].rds: does not belong to engine postgres/,
    );
    const withoutRds = { ...args.databases[0]!, engine: Engine.Rds };
    assert.throws(() => new ReaperJob("reaper", { ...args, databases: [withoutRds] }), /no region to look through/);
    assert.throws(() => test(source, { databases: [withoutRds] }), /databases\[0\].rds: is missing/);
  });
});

describe("the network of a job", () => {
  const policyOf = (made: RegisteredResources, kind: Kind) =>
    made.inputs("kubernetes:networking.k8s.io/v1:NetworkPolicy", `architect-${kind}`) as unknown as NetworkPolicy;
  const reaches = (policy: NetworkPolicy) =>
    policy.spec.egress.flatMap(({ to, ports }) =>
      ports.flatMap(({ port }) => to.map(({ ipBlock }) => `${ipBlock?.cidr ?? "kube-dns"}:${String(port)}`)),
    );

  it("lets the backup reach the database, the store and its credentials", async () => {
    const policy = policyOf(await make("backup"), "backup");
    assert.deepEqual(policy.spec.policyTypes, ["Ingress", "Egress"]);
    assert.equal(policy.spec.ingress, undefined);
    assert.deepEqual(reaches(policy), [
      "kube-dns:53",
      "169.254.20.10/32:53",
      "kube-dns:53",
      "169.254.20.10/32:53",
      "10.0.4.0/24:5432",
      "169.254.170.23/32:80",
      "fd00:ec2::23/128:80",
      "0.0.0.0/0:443",
    ]);
  });

  for (const kind of ["restore-test", "prove"] as const) {
    it(`[guide 21] leaves ${kind} no way to production`, async () => {
      const policy = policyOf(await make(kind), kind);
      assert.ok(!reaches(policy).some((peer) => peer.endsWith(":5432")));
      const open = policy.spec.egress.flatMap(({ to }) => to).find(({ ipBlock }) => ipBlock?.cidr === "0.0.0.0/0");
      assert.ok(open!.ipBlock.except.includes("10.0.0.0/8"));
      assert.ok(open!.ipBlock.except.includes("169.254.0.0/16"));
    });
  }

  it("[guide 21] lets the test of RDS's log reach its copies, where they are of a group of their own, and RDS", async () => {
    const everywhere = policyOf(await make("point-in-time-test"), "point-in-time-test");
    assert.ok(reaches(everywhere).includes("10.0.4.0/24:5432"));
    const apart = { instanceIdentifier: "architect-prod", test: { subnetGroup: "tests", cidrs: ["10.0.8.0/24"] } };
    const databases = [{ ...args.databases[0]!, engine: Engine.Rds, rds: apart }];
    const made = await register(
      () => void new PointInTimeTestJob("architect-point-in-time-test", { ...args, databases }),
    );
    const policy = policyOf(made, "point-in-time-test");
    assert.deepEqual(
      reaches(policy).filter((peer) => peer.endsWith(":5432")),
      ["10.0.8.0/24:5432"],
    );
    assert.ok(reaches(policy).includes("0.0.0.0/0:443"));
  });

  it("lets the reaper reach RDS and nothing else of AWS", async () => {
    assert.ok(!reaches(policyOf(await make("reap"), "reap")).some((peer) => peer.endsWith(":5432")));
    const network = { kind: NetworkPolicyKind.Cilium };
    const made = await make("reap", { ...args, network });
    const { spec } = made.inputs("kubernetes:cilium.io/v2:CiliumNetworkPolicy", "architect-reap");
    const named = [...JSON.stringify(spec).matchAll(/"match(?:Name|Pattern)":"([^"]+amazonaws[^"]*)"/g)];
    assert.deepEqual(
      named.map(([, name]) => name),
      ["rds.eu-central-1.amazonaws.com"],
    );
  });

  it("reaches interface endpoints where there are some, and then nothing public", async () => {
    const network = { awsCidrs: ["10.0.9.0/24"] };
    const policy = policyOf(await make("status", { ...args, network }), "status");
    assert.ok(reaches(policy).includes("10.0.9.0/24:443"));
    assert.ok(!reaches(policy).includes("0.0.0.0/0:443"));
  });

  it("selects the pods of its job and of no other", async () => {
    for (const kind of kinds) {
      const made = await make(kind);
      const { matchLabels } = policyOf(made, kind).spec.podSelector;
      const { labels } = podOf(made, kind).metadata;
      for (const [label, value] of Object.entries(matchLabels)) assert.equal(labels[label], value);
      assert.equal(matchLabels["app.kubernetes.io/instance"], `architect-${kind}`);
    }
  });

  it("names AWS services in Cilium's policy, and the agent as the node", async () => {
    const network = { kind: NetworkPolicyKind.Cilium };
    const made = await make("restore-test", { ...args, network });
    const policy = made.inputs("kubernetes:cilium.io/v2:CiliumNetworkPolicy", "architect-restore-test");
    const text = JSON.stringify(policy.spec);
    assert.ok(text.includes('"matchName":"s3.eu-central-1.amazonaws.com"'));
    assert.ok(text.includes('"matchPattern":"*.s3.eu-central-1.amazonaws.com"'));
    assert.ok(text.includes('"matchName":"kms.eu-central-1.amazonaws.com"'));
    assert.ok(text.includes('"toEntities":["host"]'));
    assert.ok(!text.includes("5432") && !text.includes("10.0.4.0"));
    const irsa = { ...args, network, identityProvider: IdentityProvider.Irsa, roleArn: "arn:aws:iam::1:role/r" };
    const withSts = (await make("status", irsa)).inputs(
      "kubernetes:cilium.io/v2:CiliumNetworkPolicy",
      "architect-status",
    );
    assert.ok(JSON.stringify(withSts.spec).includes('"matchName":"sts.eu-central-1.amazonaws.com"'));
  });
});
