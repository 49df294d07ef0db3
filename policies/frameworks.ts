import { type PolicyComplianceFramework } from "@pulumi/policy";

/** What a rule implements of the AWS Well-Architected Framework's reliability pillar. */
const wellArchitected = (reference: string, specification: string): PolicyComplianceFramework => ({
  name: "AWS Well-Architected Framework",
  version: "2024-11-06",
  reference,
  specification,
});

/** The best practices that the rules implement. */
export const Framework = {
  Objectives: wellArchitected("REL13-BP01", "Define recovery objectives for downtime and data loss"),
  Strategy: wellArchitected("REL13-BP02", "Use defined recovery strategies to meet the recovery objectives"),
  TestRecovery: wellArchitected("REL13-BP03", "Test disaster recovery implementation to validate the implementation"),
  Drift: wellArchitected("REL13-BP04", "Manage configuration drift at the DR site or Region"),
  SecureBackup: wellArchitected("REL09-BP02", "Secure and encrypt backups"),
  AutomaticBackup: wellArchitected("REL09-BP03", "Perform data backup automatically"),
  TestBackup: wellArchitected(
    "REL09-BP04",
    "Perform periodic recovery of the data to verify backup integrity and processes",
  ),
  Deployment: wellArchitected("REL08-BP04", "Deploy using immutable infrastructure"),
  FaultIsolation: wellArchitected("REL10-BP01", "Deploy the workload to multiple locations"),
  Alarms: wellArchitected("REL06-BP03", "Send notifications (Real-time processing and alarming)"),
  Healing: wellArchitected("REL11-BP03", "Automate healing on all layers"),
  Playbooks: wellArchitected("REL12-BP01", "Use playbooks to investigate failures"),
} as const;
