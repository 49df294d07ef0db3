import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * A folder as Barman's cloud tools fill it, made by hand after their documentation (`barman-cloud-backup`,
 * `barman-cloud-wal-archive`, the `backup.info` of CloudNativePG's object stores); no data is in it.
 *
 * @param wals the segments in the log, each stored a minute after the one before, from `logStart` on
 */
export function writeBarmanFolder(
  root: string,
  server: string,
  options: { readonly id: string; readonly info: string; readonly wals: readonly string[]; readonly logStart: Date },
): void {
  const base = join(root, server, "base", options.id);
  mkdirSync(base, { recursive: true });
  writeFileSync(join(base, "backup.info"), options.info);
  writeFileSync(join(base, "data.tar.gz"), "");
  options.wals.forEach((name, index) => {
    const folder = join(root, server, "wals", name.slice(0, 16));
    mkdirSync(folder, { recursive: true });
    const path = join(folder, `${name}.gz`);
    writeFileSync(path, "");
    const at = new Date(options.logStart.getTime() + index * 60_000);
    utimesSync(path, at, at);
  });
}
