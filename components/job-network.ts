import * as kubernetes from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { RecoveryJob } from "../recovery";
import { endpointDomainOf } from "./aws-names";

/** Whether, and as what, the limits of a job's network are written. */
export const NetworkPolicyKind = {
  /** `networking.k8s.io/v1`: addresses and ports, on every network plug-in that enforces policies. */
  Kubernetes: "kubernetes",
  /** `cilium.io/v2`: AWS services by their names instead of any public address. */
  Cilium: "cilium",
  /** None: something else limits the jobs. */
  None: "none",
} as const;
export type NetworkPolicyKind = (typeof NetworkPolicyKind)[keyof typeof NetworkPolicyKind];

/** How pods get their AWS credentials. */
export const IdentityProvider = {
  /** EKS Pod Identity, through the agent on the node. */
  PodIdentity: "pod-identity",
  /** IAM roles for service accounts, through STS: on Fargate, and on clusters that are not EKS. */
  Irsa: "irsa",
} as const;
export type IdentityProvider = (typeof IdentityProvider)[keyof typeof IdentityProvider];

/** What a job may be allowed to reach. */
export const NetworkPeer = {
  Dns: "dns",
  /** The databases that are backed up. */
  Database: "database",
  /** Whatever hands out AWS credentials. */
  Credentials: "credentials",
  /** The object store (S3). */
  Store: "s3",
  /** Signing and checking of evidence. */
  Kms: "kms",
  /** Restores by RDS itself: its API, and not a database in it. */
  Rds: "rds",
  /** Publishing of metrics. */
  Metrics: "monitoring",
} as const;
export type NetworkPeer = (typeof NetworkPeer)[keyof typeof NetworkPeer];

/**
 * What each job reaches, and nothing else: the one table that every policy is written from. The restore test has no way
 * to a database: a restored copy that still knows where production is must not get there.
 */
export const jobPeers: Readonly<Record<RecoveryJob, readonly NetworkPeer[]>> = {
  [RecoveryJob.Backup]: [NetworkPeer.Dns, NetworkPeer.Database, NetworkPeer.Credentials, NetworkPeer.Store],
  [RecoveryJob.Stream]: [NetworkPeer.Dns, NetworkPeer.Database, NetworkPeer.Credentials, NetworkPeer.Store],
  [RecoveryJob.RestoreTest]: [NetworkPeer.Dns, NetworkPeer.Credentials, NetworkPeer.Store, NetworkPeer.Kms],
  [RecoveryJob.Prove]: [NetworkPeer.Dns, NetworkPeer.Credentials, NetworkPeer.Store, NetworkPeer.Kms],
  // The one server that it logs in to is the copy that RDS has made for it.
  [RecoveryJob.PointInTimeTest]: [
    NetworkPeer.Dns,
    NetworkPeer.Database,
    NetworkPeer.Credentials,
    NetworkPeer.Store,
    NetworkPeer.Kms,
    NetworkPeer.Rds,
  ],
  [RecoveryJob.Reap]: [NetworkPeer.Dns, NetworkPeer.Credentials, NetworkPeer.Rds],
  [RecoveryJob.Status]: [
    NetworkPeer.Dns,
    NetworkPeer.Credentials,
    NetworkPeer.Store,
    NetworkPeer.Kms,
    NetworkPeer.Metrics,
  ],
};

/** The limits of a job's network. */
export interface JobNetworkArgs {
  /** @default kubernetes */
  kind?: NetworkPolicyKind;
  /**
   * Where AWS services answer: the CIDRs of the VPC's interface endpoints, where it has some.
   * @default every public address, on port 443 alone
   */
  awsCidrs?: string[];
}

/** One database as a network knows it. */
export interface DatabaseEndpoint {
  readonly cidrs: readonly string[];
  readonly port: number;
}

/** Everything that a job's network policy is written from. */
export interface JobNetworkSettings {
  readonly job: RecoveryJob;
  readonly kind: NetworkPolicyKind;
  readonly awsCidrs: readonly string[] | undefined;
  readonly databases: readonly DatabaseEndpoint[];
  readonly identityProvider: IdentityProvider;
  readonly region: string;
  readonly podLabels: Record<string, string>;
  readonly metadata: kubernetes.types.input.meta.v1.ObjectMeta;
}

const https = 443;
// Link-local addresses of the Pod Identity agent (EKS User Guide, "Understand how EKS Pod Identity works").
const podIdentityAgentCidrs = ["169.254.170.23/32", "fd00:ec2::23/128"];
const podIdentityAgentPort = 80;
// Where NodeLocal DNSCache listens (Kubernetes, "Using NodeLocal DNSCache in Kubernetes Clusters").
const nodeLocalDnsCidr = "169.254.20.10/32";
// No AWS service answers on these; production does. Link-local holds the node's own credentials.
const privateCidrs = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"];

/** Writes the policy that lets a job reach what its row of the table names. */
export function jobNetworkPolicy(
  name: string,
  settings: JobNetworkSettings,
  opts: pulumi.CustomResourceOptions,
): pulumi.Resource | undefined {
  const { kind, metadata } = settings;
  switch (kind) {
    case NetworkPolicyKind.None:
      return undefined;
    case NetworkPolicyKind.Kubernetes:
      return new kubernetes.networking.v1.NetworkPolicy(
        name,
        {
          metadata,
          spec: {
            podSelector: { matchLabels: settings.podLabels },
            policyTypes: ["Ingress", "Egress"],
            egress: egressRules(settings),
          },
        },
        opts,
      );
    case NetworkPolicyKind.Cilium:
      return new kubernetes.apiextensions.CustomResource(
        name,
        {
          apiVersion: "cilium.io/v2",
          kind: "CiliumNetworkPolicy",
          metadata,
          spec: {
            endpointSelector: { matchLabels: settings.podLabels },
            // An empty rule turns on the denial of everything that comes in.
            ingress: [{}],
            egress: ciliumEgressRules(settings),
          },
        },
        opts,
      );
  }
}

type EgressRule = kubernetes.types.input.networking.v1.NetworkPolicyEgressRule;

/** The egress rules of a plain NetworkPolicy. */
export function egressRules(settings: Omit<JobNetworkSettings, "metadata" | "podLabels" | "kind">): EgressRule[] {
  const { databases, identityProvider } = settings;
  const tcp = (port: number) => [{ protocol: "TCP", port }];
  const blocks = (cidrs: readonly string[]) => cidrs.map((cidr) => ({ ipBlock: { cidr } }));
  const aws: EgressRule = { to: awsBlocks(settings.awsCidrs), ports: tcp(https) };
  const rulesOf: Record<NetworkPeer, EgressRule[]> = {
    [NetworkPeer.Dns]: [
      {
        to: [
          {
            namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "kube-system" } },
            podSelector: { matchLabels: { "k8s-app": "kube-dns" } },
          },
          { ipBlock: { cidr: nodeLocalDnsCidr } },
        ],
        ports: [
          { protocol: "UDP", port: 53 },
          { protocol: "TCP", port: 53 },
        ],
      },
    ],
    [NetworkPeer.Database]: databases.map(({ cidrs, port }) => ({ to: blocks(cidrs), ports: tcp(port) })),
    [NetworkPeer.Credentials]:
      identityProvider === IdentityProvider.PodIdentity
        ? [{ to: blocks(podIdentityAgentCidrs), ports: tcp(podIdentityAgentPort) }]
        : [aws],
    [NetworkPeer.Store]: [aws],
    [NetworkPeer.Kms]: [aws],
    [NetworkPeer.Rds]: [aws],
    [NetworkPeer.Metrics]: [aws],
  };
  const rules = jobPeers[settings.job].flatMap((peer) => rulesOf[peer]);
  return [...new Set(rules)];
}

function awsBlocks(awsCidrs: readonly string[] | undefined) {
  if (awsCidrs !== undefined) return awsCidrs.map((cidr) => ({ ipBlock: { cidr } }));
  return [{ ipBlock: { cidr: "0.0.0.0/0", except: privateCidrs } }];
}

/** The egress rules of a CiliumNetworkPolicy: AWS services by name, and the agent as a port of the node. */
export function ciliumEgressRules(settings: Omit<JobNetworkSettings, "metadata" | "podLabels" | "kind">): object[] {
  const { databases, identityProvider, region } = settings;
  const ports = (port: number, protocol = "TCP") => ({ port: String(port), protocol });
  const domain = endpointDomainOf(region);
  const service = (prefix: string): object => ({
    toFQDNs: [
      { matchName: `${prefix}.${region}.${domain}` },
      // Buckets are hosts of their own.
      ...(prefix === "s3" ? [{ matchPattern: `*.s3.${region}.${domain}` }] : []),
    ],
    toPorts: [{ ports: [ports(https)] }],
  });
  const rulesOf: Record<NetworkPeer, object[]> = {
    [NetworkPeer.Dns]: [
      {
        toEndpoints: [{ matchLabels: { "k8s:io.kubernetes.pod.namespace": "kube-system", "k8s-app": "kube-dns" } }],
        toPorts: [{ ports: [ports(53, "ANY")], rules: { dns: [{ matchPattern: "*" }] } }],
      },
      { toCIDR: [nodeLocalDnsCidr], toPorts: [{ ports: [ports(53, "ANY")], rules: { dns: [{ matchPattern: "*" }] } }] },
    ],
    [NetworkPeer.Database]: databases.map(({ cidrs, port }) => ({
      toCIDR: cidrs,
      toPorts: [{ ports: [ports(port)] }],
    })),
    [NetworkPeer.Credentials]:
      identityProvider === IdentityProvider.PodIdentity
        ? // The agent shares the node's network, which Cilium knows as an entity and not as an address.
          [{ toEntities: ["host"], toPorts: [{ ports: [ports(podIdentityAgentPort)] }] }]
        : [service("sts")],
    [NetworkPeer.Store]: [service("s3")],
    [NetworkPeer.Kms]: [service("kms")],
    [NetworkPeer.Rds]: [service("rds")],
    [NetworkPeer.Metrics]: [service("monitoring")],
  };
  return jobPeers[settings.job].flatMap((peer) => rulesOf[peer]);
}
