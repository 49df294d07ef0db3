import { Scenario } from "./scenario";

/** What can fail as a whole, and everything in it with it. */
export const Domain = {
  Server: "server",
  Zone: "zone",
  Cluster: "cluster",
  Region: "region",
  Account: "account",
  Key: "key",
} as const;
export type Domain = (typeof Domain)[keyof typeof Domain];

/**
 * Where something lives. What is stored is bound to no server, zone or cluster unless one is named (a bucket is in no
 * zone), but a server always is somewhere: of a standby, what is not named is unknown. So is every region and account.
 */
export interface Placement {
  /** The machine or instance whose disk holds it. */
  readonly server?: string;
  readonly zone?: string;
  /** The Kubernetes cluster whose volumes or objects hold it. */
  readonly cluster?: string;
  /** The region; `global` for what outlives every region. */
  readonly region?: string;
  readonly account?: string;
}

/** A customer-managed key; what it encrypts is lost wherever the key is. */
export interface EncryptionKey {
  readonly name: string;
  /** Every region that has the key: one, or those of a multi-region key. */
  readonly regions: readonly string[];
}

/** A copy of data, or anything else that a recovery needs. */
export interface Placed {
  /** @default unknown */
  readonly placement?: Placement;
  /** @default no key that could be lost separately */
  readonly encryptionKey?: EncryptionKey;
}

/**
 * What each scenario takes with it. A pod crash, a bad deployment and lost connections take nothing that holds data;
 * data corruption takes the content of every live copy, which no placement can help.
 */
export const failedDomains: Readonly<Record<Scenario, readonly Domain[]>> = {
  [Scenario.PodCrash]: [],
  [Scenario.DeploymentFailure]: [],
  [Scenario.DatabaseConnectionLoss]: [],
  [Scenario.DataCorruption]: [],
  [Scenario.CompleteOutage]: [Domain.Server, Domain.Zone, Domain.Cluster],
  [Scenario.RegionalFailure]: [Domain.Server, Domain.Zone, Domain.Cluster, Domain.Region],
};

// The region of what outlives every region.
const GLOBAL = "global";

/** Whether something outlives a scenario. Unknown is no. */
export const Survival = { Survives: "survives", Lost: "lost", Unknown: "unknown" } as const;
export type Survival = (typeof Survival)[keyof typeof Survival];

/** Whether something outlives a scenario, and why not. */
export interface SurvivalFinding {
  readonly survival: Survival;
  /** Why it is lost, or what nobody said. Empty when it survives. */
  readonly why: string;
}

const SURVIVES: SurvivalFinding = { survival: Survival.Survives, why: "" };

/** What kind of thing has to survive. */
export const PlacedKind = {
  /** Objects, volumes, records: bound to a server, zone or cluster only where one is named. */
  Stored: "stored",
  /** A running server, which is always in some server, zone and cluster, named or not. */
  Server: "server",
} as const;
export type PlacedKind = (typeof PlacedKind)[keyof typeof PlacedKind];

/** Whether a copy outlives the failure of these domains of the primary. */
export function survivalOf(
  copy: Placed,
  primary: Placed,
  domains: readonly Domain[],
  kind: PlacedKind = PlacedKind.Stored,
): SurvivalFinding {
  const findings = domains.map((domain) =>
    domain === Domain.Key ? survivalOfKey(copy, primary) : survivalIn(domain, copy.placement, primary.placement, kind),
  );
  if (domains.includes(Domain.Region)) findings.push(survivalOfKeyRegion(copy, primary));
  // Domains are named from the smallest to the largest, and the largest says most.
  const last = (wanted: Survival) => findings.filter(({ survival }) => survival === wanted).at(-1);
  return last(Survival.Lost) ?? last(Survival.Unknown) ?? SURVIVES;
}

function survivalIn(
  domain: Exclude<Domain, "key">,
  copy: Placement | undefined,
  primary: Placement | undefined,
  kind: PlacedKind,
): SurvivalFinding {
  if (copy === undefined) return unknown("nobody said where it lives");
  if (primary === undefined) return unknown("nobody said where the database lives");
  const [copyIn, primaryIn] = [copy[domain], primary[domain]];
  if (copyIn !== undefined && copyIn === primaryIn) return lost(`it is in the failed ${domain} ${copyIn}`);
  if (copyIn === GLOBAL) return SURVIVES;
  const isEverywhere = domain === Domain.Region || domain === Domain.Account;
  if (primaryIn === undefined) {
    return isEverywhere ? unknown(`nobody said in which ${domain} the database is`) : SURVIVES;
  }
  const needsName = isEverywhere || kind === PlacedKind.Server;
  return copyIn === undefined && needsName ? unknown(`nobody said in which ${domain} it is`) : SURVIVES;
}

function survivalOfKey(copy: Placed, primary: Placed): SurvivalFinding {
  const key = copy.encryptionKey?.name;
  return key !== undefined && key === primary.encryptionKey?.name
    ? lost(`it is under the failed key ${key}`)
    : SURVIVES;
}

function survivalOfKeyRegion({ encryptionKey }: Placed, primary: Placed): SurvivalFinding {
  const region = primary.placement?.region;
  if (encryptionKey === undefined || encryptionKey.regions.some((other) => region !== undefined && other !== region)) {
    return SURVIVES;
  }
  if (region === undefined) return unknown("nobody said in which region the database is");
  return encryptionKey.regions.length === 0
    ? unknown(`nobody said in which regions the key ${encryptionKey.name} is`)
    : lost(`the key ${encryptionKey.name} that it is under exists only in the failed region ${region}`);
}

const lost = (why: string): SurvivalFinding => ({ survival: Survival.Lost, why });
const unknown = (why: string): SurvivalFinding => ({ survival: Survival.Unknown, why });
