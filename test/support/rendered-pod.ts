import assert from "node:assert/strict";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type * as kubernetes from "@pulumi/kubernetes";
import { temporaryFolder } from "./postgres";
import { type RegisteredResources } from "./registered-resources";

type PodSpec = kubernetes.types.output.core.v1.PodSpec;

/** A container as the kubelet would start it, with its mounts in a folder of this machine. */
export interface LocalContainer {
  readonly name: string;
  readonly command: readonly string[];
  readonly env: Record<string, string>;
}

/** A pod whose mounts are in a folder of this machine. */
export interface LocalPod {
  readonly containers: readonly LocalContainer[];
  readonly initContainers: readonly LocalContainer[];
  /** Where a path of the pod is here. */
  here(path: string): string;
}

/** What is mounted that the program does not make. */
export interface MountedByOthers {
  /** Keys of secrets, by the secret's name. */
  readonly secrets?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Fills the folder of a volume claim, by the volume's name in the pod. */
  readonly claims?: Readonly<Record<string, (folder: string) => void>>;
}

/** Lays out what a rendered pod mounts: its configuration, its passwords, empty volumes. */
export function localPod(
  made: RegisteredResources,
  spec: PodSpec,
  { secrets = {}, claims = {} }: MountedByOthers = {},
): LocalPod {
  const root = temporaryFolder();
  const here = (path: string) => join(root, path);
  const all = [...(spec.initContainers ?? []), ...spec.containers];
  const mounts = new Map(
    all.flatMap(({ volumeMounts }) => (volumeMounts ?? []).map((mount) => [mount.mountPath, mount])),
  );
  // Paths in the configuration are those of the pod, longest first.
  const folders = [...mounts.keys()].sort((a, b) => b.length - a.length);
  const translated = (text: string) =>
    folders.reduce((done, path) => done.replaceAll(`"${path}`, `"${here(path)}`), text);
  const translatedWord = (word: string) => (JSON.parse(translated(JSON.stringify([word]))) as string[])[0]!;
  for (const { name, mountPath } of mounts.values()) {
    const folder = here(mountPath);
    mkdirSync(folder, { recursive: true });
    // Pods run as another user than this test may.
    chmodSync(folder, 0o1777);
    const volume = (spec.volumes ?? []).find((candidate) => candidate.name === name);
    claims[name]?.(folder);
    if (volume === undefined) assert.ok(name in claims, `the pod mounts ${name} and has no such volume`);
    if (volume?.configMap !== undefined) {
      const configMaps = made.ofType("kubernetes:core/v1:ConfigMap");
      const configMap = configMaps.find((one) => one.name === volume.configMap.name);
      assert.ok(configMap, `there is no ConfigMap ${volume.configMap.name}`);
      for (const [file, text] of Object.entries((configMap.inputs as { data: Record<string, string> }).data)) {
        writeFileSync(join(folder, file), translated(text));
      }
    }
    if (volume?.secret !== undefined) {
      const secret = secrets[volume.secret.secretName]!;
      for (const { key, path } of volume.secret.items) writeFileSync(join(folder, path), `${secret[key]!}\n`);
    }
  }
  const local = ({ name, command, env }: PodSpec["containers"][number]): LocalContainer => ({
    name,
    command: (command ?? []).map(translatedWord),
    env: Object.fromEntries((env ?? []).map(({ name: key, value }) => [key, translatedWord(value)])),
  });
  return { containers: spec.containers.map(local), initContainers: (spec.initContainers ?? []).map(local), here };
}

/** The words after `dr`; the support for JSON adds `--json` itself. */
export const withoutJson = ({ command }: LocalContainer) => command.slice(1).filter((word) => word !== "--json");
