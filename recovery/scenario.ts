import { Severity } from "./severity";

/** What can happen: the six scenarios of the guide's "Recovery Procedures Quick Reference". */
export const Scenario = {
  PodCrash: "pod-crash",
  DeploymentFailure: "deployment-failure",
  DatabaseConnectionLoss: "database-connection-loss",
  DataCorruption: "data-corruption",
  CompleteOutage: "complete-outage",
  RegionalFailure: "regional-failure",
} as const;
export type Scenario = (typeof Scenario)[keyof typeof Scenario];

/** What a scenario is, and what the guide answers to it. */
export interface ScenarioDescription {
  readonly scenario: Scenario;
  /** The name in the guide's table. */
  readonly title: string;
  /** What has failed, and what with it, in one sentence. */
  readonly whatFails: string;
  /** The guide's procedure. */
  readonly procedure: string;
  /** The guide's recovery time for it, in minutes. */
  readonly rtoMinutes: number;
  /** How the incident is ranked unless the objectives say otherwise. The guide ranks only the complete outage, P1. */
  readonly severity: Severity;
}

/** The guide's quick reference table. */
export const scenarioDescriptions: Readonly<Record<Scenario, ScenarioDescription>> = {
  [Scenario.PodCrash]: {
    scenario: Scenario.PodCrash,
    title: "Pod crash",
    whatFails: "One container or node of the application dies; the database is untouched.",
    procedure: "Auto-restart by Kubernetes",
    rtoMinutes: 2,
    severity: Severity.P3,
  },
  [Scenario.DeploymentFailure]: {
    scenario: Scenario.DeploymentFailure,
    title: "Deployment failure",
    whatFails: "A new version does not work; the version before it did.",
    procedure: "kubectl rollout undo",
    rtoMinutes: 5,
    severity: Severity.P2,
  },
  [Scenario.DatabaseConnectionLoss]: {
    scenario: Scenario.DatabaseConnectionLoss,
    title: "Database connection issue",
    whatFails: "The database is up and its data whole, but the application gets no connection.",
    procedure: "Scale connections, restart",
    rtoMinutes: 5,
    severity: Severity.P2,
  },
  [Scenario.DataCorruption]: {
    scenario: Scenario.DataCorruption,
    title: "Data corruption",
    whatFails:
      "Data is wrong or gone (bad deploy, bad query, deletion, damaged pages), and every live copy follows at once.",
    procedure: "Restore from backup",
    rtoMinutes: 15,
    severity: Severity.P1,
  },
  [Scenario.CompleteOutage]: {
    scenario: Scenario.CompleteOutage,
    title: "Complete outage",
    whatFails: "The database server and its disks, and the cluster or zone that they are in, are lost.",
    procedure: "Full DR procedure",
    rtoMinutes: 15,
    severity: Severity.P1,
  },
  [Scenario.RegionalFailure]: {
    scenario: Scenario.RegionalFailure,
    title: "Regional failure",
    whatFails: "Everything in the region is gone: servers, disks, buckets, keys, control planes.",
    procedure: "Switch to backup region",
    rtoMinutes: 30,
    severity: Severity.P1,
  },
};

/** All scenarios, in the order of the guide's table. */
export const scenarios: readonly Scenario[] = Object.values(Scenario);
