import { text } from "node:stream/consumers";
import {
  barmanBackupId,
  type BarmanPlace,
  barmanReach,
  barmanWalName,
  type BarmanWal,
  parseBackupInfo,
} from "../../../recovery";
import { openStore } from "../store/open-store";

/** What a folder of Barman's cloud tools holds: read, never written. */
export async function readBarmanBackups(storeUrl: string, server: string): Promise<BarmanPlace[]> {
  const store = openStore(storeUrl);
  try {
    const log: BarmanWal[] = [];
    for await (const { key, lastModified } of store.list(`${server}/wals/`)) {
      const name = barmanWalName(key.slice(server.length + 1));
      if (name !== undefined) log.push({ name, storedAt: lastModified });
    }
    const places: BarmanPlace[] = [];
    for await (const { key } of store.list(`${server}/base/`)) {
      const id = barmanBackupId(key.slice(server.length + 1));
      if (id === undefined) continue;
      const backup = parseBackupInfo(id, await text(await store.get(key)));
      places.push({ backup, reach: barmanReach(backup, log), server, store: store.url });
    }
    return places;
  } finally {
    store.close();
  }
}
