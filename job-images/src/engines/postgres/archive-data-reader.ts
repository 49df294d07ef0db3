/** What a data-only archive, printed as SQL, tells as it goes by. */
export interface ArchiveDataEvents {
  /** `copy` is the text between COPY and FROM: the table and its columns. */
  tableStart(copy: string): void;
  tableData(bytes: Buffer): void;
  tableEnd(copy: string): void;
  largeObjectData(id: string, bytes: Buffer): void;
}

const newline = 0x0a;
const copyLine = /^COPY (.+) FROM stdin;$/;
const openLine = /^SELECT pg_catalog\.lo_open\('(\d+)', \d+\);$/;
const writeLine = /^SELECT pg_catalog\.lowrite\(0, '\\x([0-9a-f]*)'\);$/;
const emptyTableEnd = Buffer.from("\\.\n");
const tableEnd = Buffer.from("\n\\.\n");

/**
 * Reads what `pg_restore --data-only --file=-` prints, in chunks of any size and in constant memory, and tells table
 * data from the SQL around it. A data line `\.` ends a table; the data itself can never hold one, COPY escapes it.
 */
export class ArchiveDataReader {
  private pending: Buffer = Buffer.alloc(0);
  /** The table whose data goes by. */
  private copy: string | undefined;
  private copyHasData = false;
  private largeObject = "";

  constructor(private readonly events: ArchiveDataEvents) {}

  push(chunk: Buffer): void {
    this.pending = this.pending.length === 0 ? chunk : Buffer.concat([this.pending, chunk]);
    while (this.copy === undefined ? this.readSqlLine() : this.readData());
  }

  /** @throws when the text ended in the middle of a table. */
  end(): void {
    if (this.copy !== undefined) throw new Error(`The archive's data ends in the middle of ${this.copy}.`);
  }

  /** Consumes one line of SQL; false when there is no whole one yet. */
  private readSqlLine(): boolean {
    const end = this.pending.indexOf(newline);
    if (end === -1) return false;
    const line = this.pending.toString("utf8", 0, end);
    this.pending = this.pending.subarray(end + 1);
    const copy = copyLine.exec(line)?.[1];
    if (copy !== undefined) {
      this.copy = copy.trim();
      this.copyHasData = false;
      this.events.tableStart(this.copy);
      return true;
    }
    const opened = openLine.exec(line)?.[1];
    if (opened !== undefined) {
      this.largeObject = opened;
      // An empty large object has no writes and is one all the same.
      this.events.largeObjectData(opened, Buffer.alloc(0));
    }
    const written = writeLine.exec(line)?.[1];
    if (written !== undefined) this.events.largeObjectData(this.largeObject, Buffer.from(written, "hex"));
    return true;
  }

  /** Consumes data up to the table's end, or all that cannot be a part of the end marker; false to wait for more. */
  private readData(): boolean {
    if (!this.copyHasData) {
      if (this.pending.length < emptyTableEnd.length) return false;
      if (this.pending.subarray(0, emptyTableEnd.length).equals(emptyTableEnd))
        return this.endTable(0, emptyTableEnd.length);
      this.copyHasData = true;
    }
    const found = this.pending.indexOf(tableEnd);
    if (found !== -1) return this.endTable(found + 1, found + tableEnd.length);
    const settled = this.pending.length - (tableEnd.length - 1);
    if (settled > 0) {
      this.events.tableData(this.pending.subarray(0, settled));
      this.pending = this.pending.subarray(settled);
    }
    return false;
  }

  private endTable(dataEnd: number, markerEnd: number): true {
    if (dataEnd > 0) this.events.tableData(this.pending.subarray(0, dataEnd));
    this.events.tableEnd(this.copy!);
    this.copy = undefined;
    this.pending = this.pending.subarray(markerEnd);
    return true;
  }
}
