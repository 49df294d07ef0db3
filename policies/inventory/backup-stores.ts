import { containersOf, type CronJobProps } from "./kubernetes-properties";
import { ResourceTypes } from "./resource-types";
import {
  type JudgedResource,
  known,
  leadsTo,
  namesExactly,
  remembered,
  type StackResources,
  UNKNOWN,
  wordsOf,
} from "./stack-resources";

const STORE_NAME = /backup|recovery|disaster|dumps?\b|\bwal\b|litestream|barman|pgbackrest/i;

/**
 * The buckets that hold backups: by what they are called, by an object lock (what may not be deleted is kept for a
 * reason), because a workload names them as a store, or as the place where such a bucket is copied to. A bucket that only
 * takes another's access logs holds none.
 */
export function backupStores(stack: StackResources): readonly JudgedResource[] {
  return stack.once(backupStores, () => findBackupStores(stack));
}

function findBackupStores(stack: StackResources): readonly JudgedResource[] {
  const buckets = stack.ofTypes(ResourceTypes.Bucket).filter((bucket) => !takesAccessLogs(stack, bucket));
  const texts = stack.ofTypes([...ResourceTypes.CronJob, ...ResourceTypes.ConfigMap]).map(textOf);
  const isNamedByWorkload = (bucket: JudgedResource): boolean => {
    const name = known(() => bucket.props.bucket);
    return typeof name === "string" && texts.some((text) => namesExactly(text, name));
  };
  const stores = buckets.filter(
    (bucket) =>
      STORE_NAME.test(`${bucket.name} ${String(known(() => bucket.props.bucket))}`) ||
      known(() => bucket.props.objectLockEnabled) === true ||
      isNamedByWorkload(bucket),
  );
  const copies = buckets.filter((bucket) => stores.some((store) => isCopiedTo(stack, store, bucket)));
  return [...new Set([...stores, ...copies])];
}

/** Whether a replication copies what is written to the one bucket into the other. */
export function isCopiedTo(stack: StackResources, source: JudgedResource, destination: JudgedResource): boolean {
  return (
    source !== destination &&
    stack
      .ofTypes(ResourceTypes.BucketReplication)
      .some(
        (replication) =>
          leadsTo(replication, "bucket", source) === true && leadsTo(replication, "rules", destination) === true,
      )
  );
}

function takesAccessLogs(stack: StackResources, bucket: JudgedResource): boolean {
  return stack
    .ofTypes(ResourceTypes.BucketLogging)
    .some((logging) => leadsTo(logging, "targetBucket", bucket) === true);
}

/** What a job or its configuration says for its program to read: commands, arguments, environment, files. */
export function textOf(resource: JudgedResource): string {
  return remembered(resource, textOf, () => {
    const props = resource.props as { readonly data?: unknown } & CronJobProps;
    const told = () =>
      containersOf(props.spec?.jobTemplate?.spec?.template?.spec).map(({ command, args, env }) => [command, args, env]);
    return [resource.name, ...wordsOf(() => props.data).words, ...wordsOf(told).words].join(" ");
  });
}

/**
 * The files that a workload or a job is given by ConfigMaps of the same stack.
 *
 * @throws UnknownValueError when such a file is not known before the update
 */
export function configOf(stack: StackResources, { props, propertyDependencies }: JudgedResource): string {
  const sources = new Set((propertyDependencies.spec ?? []).map(({ urn }) => urn));
  const { words } = wordsOf(() => props.spec);
  return stack
    .ofTypes(ResourceTypes.ConfigMap)
    .filter((configMap) => sources.has(configMap.urn) || namesMap(words, configMap))
    .flatMap(({ props: own }) => Object.values((own as { readonly data?: Record<string, string> }).data ?? {}))
    .join("\n");
}

function namesMap(words: readonly string[], { props }: JudgedResource): boolean {
  const name = known(() => (props as CronJobProps).metadata?.name);
  return typeof name === "string" && words.includes(name);
}

/** What a job is told, its files included as far as they are known. */
export function toldTo(stack: StackResources, job: JudgedResource): string {
  const files = known(() => configOf(stack, job));
  return files === UNKNOWN ? textOf(job) : `${textOf(job)} ${files}`;
}
