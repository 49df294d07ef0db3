import * as aws from "@pulumi/aws";
import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { Engine, type JobConfig, litestreamConfig, parseStoreUrl, streamPrefix, streamWriterPolicy } from "../recovery";
import { ArgumentProblems } from "./argument-problems";
import { expectAccountId, expectRegion } from "./aws-names";
import { hardenedContainer } from "./hardened-pod";
import {
  expectDatabase,
  expectPinnedImage,
  fileMountPath,
  filePath,
  type JobResourcesArgs,
  type ProtectedDatabaseArgs,
} from "./job-arguments";
import { labelsOf, markExpectation, markPattern, sqlitePodLabels, tagsOf } from "./labels-and-tags";
import { expectOidcProvider, type OidcProviderArgs, webIdentityTrust } from "./recovery-identity";

export interface SqliteReplicationArgs {
  /** The application that is protected. */
  application: string;
  /** The environment, for instance `prod`. */
  environment: string;
  /** The region of the store. */
  region: string;
  accountId: string;
  /** The application's namespace. */
  namespace: pulumi.Input<string>;
  /** The job image, pinned by digest: Litestream is in it. */
  image: string;
  /** The store as the job configuration names it; `BackupBucket` has it as an output. */
  storeUrl: pulumi.Input<string>;
  bucketArn: pulumi.Input<string>;
  /** The KMS key that encrypts the bucket. @default none: the bucket is encrypted by S3's own */
  dataKeyArn?: pulumi.Input<string | undefined>;
  /** One database of engine `sqlite`, with `stream`. */
  database: ProtectedDatabaseArgs;
  /**
   * The cluster's OpenID Connect provider, which a role for `stream.serviceAccountName` trusts: Litestream 0.3 takes its
   * credentials so (IRSA), and knows nothing of Pod Identity. Not needed with `stream.roleName`.
   */
  oidcProvider?: OidcProviderArgs;
  /** Of the sidecar. */
  resources?: JobResourcesArgs;
  /** Tags beside the `recovery.*` set. */
  tags?: Record<string, string>;
}

/**
 * Litestream for the application's own pod: what was committed is in the store seconds later. The pod is somebody else's,
 * so what it needs is handed out to be put into it: an init container that restores, a sidecar that streams, the volume
 * with their configuration, and a label.
 *
 * - A file that is there is never touched. One that is missing is restored before the application starts; where the store
 *   holds no stream the pod does not start, since an empty database that streams would pass for the real one.
 *   `stream.firstDeployment` says that there is none yet.
 * - The sidecar starts after the restore, before the application, and ends after it (Kubernetes, "Sidecar Containers"),
 *   so that the last commit is streamed as well. From Kubernetes 1.29 on.
 * - Nothing is ever deleted: Litestream's own retention is off, the store's lifecycle does it, and the role may not. It
 *   may read and add under `wal/NAME/`, and nothing else.
 *
 * ```ts
 * const replication = new SqliteReplication("notes-stream", { ..., database: notes });
 * new kubernetes.apps.v1.StatefulSet("notes", {
 *   spec: {
 *     replicas: 1,
 *     template: {
 *       metadata: { labels: { app: "notes", ...replication.podLabels } },
 *       spec: replication.podWith({ serviceAccountName: "notes", containers: [application] }),
 *     },
 *     volumeClaimTemplates: [data],
 *     ...
 *   },
 * });
 * ```
 */
export class SqliteReplication extends pulumi.ComponentResource {
  /** Labels of the application's pods: the backups go where one of them is. */
  public readonly podLabels: Record<string, string>;
  /** The service account's annotations. Empty with a role of one's own. */
  public readonly serviceAccountAnnotations: pulumi.Output<Record<string, string>>;
  /** Containers of `initContainers`, first to last, as Kubernetes writes them. They mount the file's own volume. */
  // Parts of a pod have no type in a plugin's schema.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  public readonly initContainers: pulumi.Output<any>;
  /** Volumes of the pod beside the application's own, as Kubernetes writes them. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  public readonly volumes: pulumi.Output<any>;
  /** The role that streams, where one was made. */
  public readonly roleArn: pulumi.Output<string | undefined>;

  /** @throws InputPropertiesError naming every invalid argument, before anything is registered */
  constructor(name: string, args: SqliteReplicationArgs, opts: pulumi.ComponentResourceOptions = {}) {
    sqliteReplicationProblems(name, args).throwIfAny("SqliteReplication", name);
    super("disaster-recovery:index:SqliteReplication", name, args, opts);
    const role = this.role(name, args);
    const configMap = new kubernetes.core.v1.ConfigMap(
      name,
      // Named by Pulumi: a changed configuration is a new object, and with it a new pod.
      {
        metadata: { namespace: args.namespace, labels: labelsOf(marksOf(args), name) },
        immutable: true,
        data: { [configFile]: configText(args), [runnerConfigFile]: runnerConfigText(args) },
      },
      { parent: this },
    );
    const { initContainers, volumes } = podParts(args, configMap);
    this.podLabels = sqlitePodLabels(args.database.name);
    this.initContainers = pulumi.output(initContainers);
    this.volumes = pulumi.output(volumes);
    this.roleArn = pulumi.output(role?.arn);
    this.serviceAccountAnnotations = this.roleArn.apply((arn): Record<string, string> =>
      arn === undefined ? {} : { "eks.amazonaws.com/role-arn": arn },
    );
    this.registerOutputs({
      podLabels: this.podLabels,
      serviceAccountAnnotations: this.serviceAccountAnnotations,
      initContainers: this.initContainers,
      volumes: this.volumes,
      roleArn: this.roleArn,
    });
  }

  /**
   * The application's pod with all of it.
   *
   * @param spec the pod; the volume of the file is in it, or comes by a claim template
   */
  podWith(spec: kubernetes.types.input.core.v1.PodSpec): pulumi.Output<kubernetes.types.input.core.v1.PodSpec> {
    const initContainers = this.initContainers as pulumi.Output<PodParts["initContainers"]>;
    const volumes = this.volumes as pulumi.Output<PodParts["volumes"]>;
    return pulumi.all([pulumi.output(spec), initContainers, volumes]).apply(([known, ownContainers, ownVolumes]) => ({
      ...known,
      // The restore comes before whatever else prepares the file.
      initContainers: [...ownContainers, ...(known.initContainers ?? [])],
      volumes: [...(known.volumes ?? []), ...ownVolumes],
      // A backup that runs already has the volume on its node.
      affinity: known.affinity ?? besideOthers(this.podLabels),
    }));
  }

  private role(name: string, args: SqliteReplicationArgs): aws.iam.Role | undefined {
    const { application, environment, database, oidcProvider } = args;
    const { serviceAccountName, roleName } = database.stream!;
    const made =
      serviceAccountName === undefined
        ? undefined
        : new aws.iam.Role(
            name,
            {
              name: streamRoleName(args),
              description: `Streams ${database.name} of ${application} (${environment}).`,
              assumeRolePolicy: pulumi.all([args.namespace, serviceAccountName]).apply(([namespace, account]) =>
                JSON.stringify({
                  Version: "2012-10-17",
                  Statement: [{ Effect: "Allow", ...webIdentityTrust(oidcProvider!, { namespace, name: account }) }],
                }),
              ),
              tags: tagsOf(marksOf(args), args.tags),
            },
            { parent: this },
          );
    new aws.iam.RolePolicy(
      name,
      {
        role: made?.name ?? roleName!,
        policy: pulumi
          .all([args.bucketArn, args.dataKeyArn, args.storeUrl])
          .apply(([bucketArn, dataKeyArn, storeUrl]) =>
            JSON.stringify(
              streamWriterPolicy(streamPrefix(database.name), {
                bucketArn,
                dataKeyArn,
                keyPrefix: keyPrefixOf(storeUrl),
              }),
            ),
          ),
      },
      { parent: this },
    );
    return made;
  }
}

const configFolder = "/etc/litestream";
const configFile = "litestream.yml";
const runnerConfigFile = "dr.json";
const defaultVolumeName = "data";
const defaultResources: Required<JobResourcesArgs> = { cpu: "50m", cpuLimit: "500m", memory: "128Mi" };

/** The runner asleep between two heartbeats. */
const heartbeatResources = {
  requests: { cpu: "10m", memory: "192Mi" },
  limits: { cpu: "250m", memory: "192Mi" },
};

interface PodParts {
  readonly initContainers: kubernetes.types.input.core.v1.Container[];
  readonly volumes: kubernetes.types.input.core.v1.Volume[];
}

function podParts(args: SqliteReplicationArgs, configMap: kubernetes.core.v1.ConfigMap): PodParts {
  const { database, region, image } = args;
  const { name, file, stream } = database;
  const config = `${name}-litestream`;
  const own = Object.entries(args.resources ?? {}).filter(([, value]) => value !== undefined);
  const resources = { ...defaultResources, ...(Object.fromEntries(own) as Partial<JobResourcesArgs>) };
  const { userId, groupId = userId } = file!;
  const common = {
    image,
    env: [{ name: "AWS_REGION", value: region }],
    resources: {
      requests: { cpu: resources.cpu, memory: resources.memory },
      limits: { cpu: resources.cpuLimit, memory: resources.memory },
    },
    // The application's own user: files of another beside the database would lock it out.
    securityContext: {
      ...hardenedContainer,
      runAsUser: userId,
      runAsGroup: groupId,
      seccompProfile: { type: "RuntimeDefault" },
    },
    terminationMessagePolicy: "FallbackToLogsOnError",
    volumeMounts: [
      { name: config, mountPath: configFolder, readOnly: true },
      { name: file!.volumeName ?? defaultVolumeName, mountPath: fileMountPath(file!) },
    ],
  };
  const litestream = (...words: string[]) => [
    "litestream",
    words[0]!,
    "-config",
    `${configFolder}/${configFile}`,
    "-no-expand-env",
    ...words.slice(1),
  ];
  const missing = stream!.firstDeployment === true ? ["-if-replica-exists"] : [];
  return {
    initContainers: [
      {
        ...common,
        name: `${name}-restore`,
        command: litestream("restore", "-if-db-not-exists", ...missing, filePath(file!)),
      },
      { ...common, name: `${name}-stream`, restartPolicy: "Always", command: litestream("replicate") },
      ...(stream!.heartbeat === false
        ? []
        : [
            {
              ...common,
              name: `${name}-heartbeat`,
              restartPolicy: "Always",
              command: ["dr", "heartbeat", name],
              env: [{ name: "DR_CONFIG", value: `${configFolder}/${runnerConfigFile}` }],
              resources: heartbeatResources,
            },
          ]),
    ],
    volumes: [{ name: config, configMap: { name: configMap.metadata.name } }],
  };
}

/** Where another pod has the file open, if there is one; preferred alone, so that a node that is gone keeps nobody away. */
const besideOthers = (matchLabels: Record<string, string>): kubernetes.types.input.core.v1.Affinity => ({
  podAffinity: {
    preferredDuringSchedulingIgnoredDuringExecution: [
      { weight: 100, podAffinityTerm: { labelSelector: { matchLabels }, topologyKey: "kubernetes.io/hostname" } },
    ],
  },
});

/** Litestream's configuration, from the one place that a restore reads as well; JSON is YAML. */
function configText({ database, storeUrl }: SqliteReplicationArgs): pulumi.Output<string> {
  const { name, file, stream } = database;
  return pulumi.output(storeUrl).apply((url) => {
    const { location, problems } = parseStoreUrl(url);
    if (location === undefined) throw new Error(`storeUrl: ${problems.join("; ")}`);
    const { flushSeconds } = stream!;
    const settings = litestreamConfig({ path: filePath(file!), database: name, location, flushSeconds });
    return `${JSON.stringify(settings, undefined, 2)}\n`;
  });
}

/** What the heartbeat has to know: where the file is. */
function runnerConfigText({ database, storeUrl, environment }: SqliteReplicationArgs): pulumi.Output<string> {
  const { name, file } = database;
  return pulumi.output(storeUrl).apply((store) => {
    const databases = [{ name, engine: Engine.Sqlite, path: filePath(file!) }];
    return `${JSON.stringify({ store, environment, databases } satisfies JobConfig, undefined, 2)}\n`;
  });
}

function keyPrefixOf(storeUrl: string): string | undefined {
  const { location } = parseStoreUrl(storeUrl);
  return location?.kind === "s3" && location.prefix !== "" ? location.prefix : undefined;
}

const marksOf = ({ application, environment }: SqliteReplicationArgs) => ({
  application,
  environment,
  component: "sqlite-replication",
});

/** The name of the role that streams. */
function streamRoleName({ application, environment, region, database }: SqliteReplicationArgs): string {
  return `${application}-${environment}-${region}-stream-${database.name}`;
}

// IAM's limit.
const longestRoleName = 64;

/** Everything that is wrong with the arguments. */
export function sqliteReplicationProblems(name: string, args: SqliteReplicationArgs): ArgumentProblems {
  const problems = new ArgumentProblems();
  const { database, oidcProvider } = args;
  problems.expect(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(name), "name", "lower-case letters, digits and dashes", name);
  problems.expect(markPattern.test(args.application), "application", markExpectation, args.application);
  problems.expect(markPattern.test(args.environment), "environment", markExpectation, args.environment);
  expectRegion(problems, "region", args.region);
  expectAccountId(problems, "accountId", args.accountId);
  expectPinnedImage(problems, args.image);
  expectDatabase(problems, database, (field) => `database.${field}`, [Engine.Sqlite]);
  if (database.stream === undefined) problems.add("database.stream", "is missing: the service account, or a role");
  if (database.stream?.serviceAccountName === undefined) return problems;
  if (oidcProvider === undefined) {
    problems.add("oidcProvider", "is missing: Litestream takes its credentials by IRSA, and knows no Pod Identity");
  } else expectOidcProvider(problems, oidcProvider);
  const roleName = streamRoleName(args);
  if (roleName.length > longestRoleName) {
    problems.add(
      "database.name",
      `makes the role name ${roleName}, longer than the ${longestRoleName} that IAM allows`,
    );
  }
  return problems;
}
