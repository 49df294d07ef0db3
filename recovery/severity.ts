/** How bad an incident is, and with it how fast somebody answers (guide, "Severity Levels"). */
export const Severity = { P1: "P1", P2: "P2", P3: "P3", P4: "P4" } as const;
export type Severity = (typeof Severity)[keyof typeof Severity];

/** What a severity means and asks for. */
export interface SeverityLevel {
  readonly severity: Severity;
  readonly impact: string;
  /** Somebody has started to work on it within this many minutes of the alert. */
  readonly responseMinutes: number;
  readonly actions: readonly string[];
}

/** The guide's severity table. */
export const severityLevels: Readonly<Record<Severity, SeverityLevel>> = {
  P1: {
    severity: Severity.P1,
    impact: "Complete outage",
    responseMinutes: 5,
    actions: ["Immediate escalation", "Full incident response"],
  },
  P2: {
    severity: Severity.P2,
    impact: "Major degradation",
    responseMinutes: 15,
    actions: ["Team engagement", "Status page update"],
  },
  P3: {
    severity: Severity.P3,
    impact: "Minor issues",
    responseMinutes: 60,
    actions: ["Investigation", "Monitoring"],
  },
  P4: {
    severity: Severity.P4,
    impact: "Non-critical",
    responseMinutes: 1440,
    actions: ["Standard procedures"],
  },
};

/** All severities, worst first. */
export const severities: readonly Severity[] = Object.values(Severity);
