import { type CatalogEntry, RecoveryPointState } from "./catalog";

/** One recovery point that a replica bucket should have and has not. */
export interface ReplicationProblem {
  readonly id: string;
  readonly problem: string;
}

/**
 * What replication has failed to bring, judged by what really is in the other bucket: each recovery point that is whole
 * here must be whole there once it had the time. S3's own status says less: it is of single objects, and an object that
 * was written before the rule has none.
 *
 * @param allowanceMinutes how long after a backup it may still be on its way
 */
export function replicationProblems(
  source: readonly CatalogEntry[],
  replica: readonly CatalogEntry[],
  { now, allowanceMinutes }: { readonly now: Date; readonly allowanceMinutes: number },
): ReplicationProblem[] {
  const there = new Map(replica.map((entry) => [entry.id, entry]));
  const whole: readonly RecoveryPointState[] = [RecoveryPointState.Complete, RecoveryPointState.Archived];
  return source.flatMap(({ id, state, manifest }) => {
    if (!manifest || !whole.includes(state)) return [];
    const ageMinutes = (now.getTime() - new Date(manifest.finishedAt).getTime()) / 60_000;
    const copy = there.get(id);
    if (ageMinutes <= allowanceMinutes || (copy && whole.includes(copy.state))) return [];
    const found = copy ? `is ${copy.state} there: ${copy.problems.join("; ")}` : "is not there at all";
    return [{ id, problem: `${Math.round(ageMinutes)} minutes after it was taken the replica ${found}` }];
  });
}
