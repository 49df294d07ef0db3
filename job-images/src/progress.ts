/** Says what is going on, to a person; a machine reads the result. */
export interface Progress {
  /** A new stretch of work begins. */
  step(what: string): void;
  /** Bytes moved in the present stretch so far. */
  bytes(count: number): void;
  /** Something worth knowing that is not a failure. */
  note(text: string): void;
}

/** Says nothing. */
export const silentProgress: Progress = { step: () => undefined, bytes: () => undefined, note: () => undefined };
