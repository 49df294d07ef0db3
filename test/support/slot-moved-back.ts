import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { type LocalServer } from "../../job-images/src/engines/postgres/server";

/**
 * Asks a server through a slot for log that it may not have, and says in the same breath that it is on disk: as a receiver
 * does whose answer overtakes the server's refusal. PostgreSQL takes its word, and moves the slot back to there.
 */
export async function moveSlotBack(server: LocalServer, port: number, slot: string, lsn: bigint): Promise<void> {
  const socket = connect(join(server.directory, `.s.PGSQL.${port}`));
  try {
    const ready = untilReady(socket);
    socket.write(startup({ user: server.access().user, replication: "true" }));
    await ready;
    const position = `${(lsn >> 32n).toString(16)}/${(lsn & 0xffffffffn).toString(16)}`;
    const ended = new Promise<void>((done) => socket.once("close", () => done()));
    socket.write(
      Buffer.concat([
        message("Q", Buffer.from(`START_REPLICATION SLOT "${slot}" PHYSICAL ${position} TIMELINE 1\0`)),
        message("d", standbyStatus(lsn)),
      ]),
    );
    setTimeout(() => socket.end(), 1000);
    await ended;
  } finally {
    socket.destroy();
  }
}

function startup(parameters: Readonly<Record<string, string>>): Buffer {
  const words = Object.entries(parameters).flat();
  const body = Buffer.from(`${words.join("\0")}\0\0`);
  const head = Buffer.alloc(8);
  head.writeInt32BE(body.length + 8, 0);
  head.writeInt32BE(196_608, 4);
  return Buffer.concat([head, body]);
}

function message(kind: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(kind, 0);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

/** PostgreSQL documentation, "Streaming Replication Protocol", standby status update. */
function standbyStatus(lsn: bigint): Buffer {
  const body = Buffer.alloc(34);
  body.write("r", 0);
  for (const at of [1, 9, 17]) body.writeBigUInt64BE(lsn, at);
  return body;
}

function untilReady(socket: Socket): Promise<void> {
  return new Promise((done, fail) => {
    let seen = Buffer.alloc(0);
    socket.on("error", fail);
    socket.on("data", (chunk: Buffer) => {
      seen = Buffer.concat([seen, chunk]);
      // ReadyForQuery, idle.
      if (seen.includes(Buffer.from([0x5a, 0, 0, 0, 5, 0x49]))) done();
    });
  });
}
