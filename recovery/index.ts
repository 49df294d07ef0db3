export * from "./objectives";
export * from "./retention";
export * from "./scenario";
export * from "./schedule";
export * from "./severity";
export * from "./time-zone";
