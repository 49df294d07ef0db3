import { partOf, readWholePart } from "../../store/parts";
import { type SabotageKitRequest } from "../engine";
import { commonCases, type SabotageKit } from "../sabotage-case";
import { baseArchivePart } from "./base-parts";

/** Ways to spoil a base backup. */
export async function openBaseSabotage({ manifest, store, signal }: SabotageKitRequest): Promise<SabotageKit> {
  const parts: Record<string, Buffer> = {};
  for (const { name } of manifest.parts) parts[name] = await readWholePart(store, partOf(manifest, name), signal);
  return { cases: commonCases(manifest, parts, baseArchivePart, "archive"), parts, close: () => Promise.resolve() };
}
