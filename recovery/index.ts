export * from "./canonical-json";
export * from "./evidence";
export * from "./job-config";
export * from "./manifest";
export * from "./postgres-url";
export * from "./store-layout";
export * from "./store-url";
export * from "./verdict";
