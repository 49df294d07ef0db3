import { availableParallelism } from "node:os";

/**
 * How many threads zstd gets. Its own `-T0` counts the CPUs of the node and knows nothing of the pod's limits: at level 3 it
 * holds 99 MB with 4 threads and 682 MB with 64. With four it is faster than any dump.
 */
export function compressionThreads(cpus = availableParallelism()): number {
  return Math.min(4, cpus);
}

/**
 * How many sessions work on a server at the same time, each a connection of it: what was asked for, else one for each CPU
 * here, up to 8.
 */
export function serverJobs(asked?: number, cpus = availableParallelism()): number {
  return asked ?? Math.min(8, cpus);
}
