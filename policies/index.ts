import { PolicyPack } from "@pulumi/policy";
import { rules } from "./rules";

new PolicyPack("disaster-recovery", { policies: rules, enforcementLevel: "mandatory" });
