import assert from "node:assert/strict";
import fc from "fast-check";
import { ArchiveDataReader } from "../../../job-images/src/engines/postgres/archive-data-reader";

function readInChunks(
  text: Buffer,
  sizes: readonly number[],
): { tables: [string, string][]; objects: Map<string, string> } {
  const tables: [string, string][] = [];
  const objects = new Map<string, string>();
  let data: Buffer[] = [];
  const reader = new ArchiveDataReader({
    tableStart: () => (data = []),
    tableData: (bytes) => data.push(Buffer.from(bytes)),
    tableEnd: (copy) => tables.push([copy, Buffer.concat(data).toString()]),
    largeObjectData: (id, bytes) => objects.set(id, (objects.get(id) ?? "") + bytes.toString("hex")),
  });
  let at = 0;
  for (let turn = 0; at < text.length; turn++) {
    const size = sizes[turn % sizes.length]!;
    reader.push(text.subarray(at, at + size));
    at += size;
  }
  reader.end();
  return { tables, objects };
}

describe("archive data reader", () => {
  const rows = fc.array(
    fc.string().map((row) => row.replace(/[\n\\]/g, "x")),
    { maxLength: 5 },
  );
  const table = fc.tuple(fc.stringMatching(/^[a-z]{1,8}$/), rows);

  it("tells the same of any text in chunks of any size", () => {
    fc.assert(
      fc.property(
        fc.array(table, { maxLength: 4 }),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
        (tables, sizes) => {
          const text = tables
            .map(
              ([name, lines]) =>
                `--\n-- Data\n\nCOPY public.${name} (a) FROM stdin;\n${lines.map((line) => `${line}\n`).join("")}\\.\n\n`,
            )
            .join("SELECT pg_catalog.setval('public.s', 1, true);\n");
          const { tables: read } = readInChunks(Buffer.from(text), sizes);
          assert.deepEqual(
            read,
            tables.map(([name, lines]) => [`public.${name} (a)`, lines.map((line) => `${line}\n`).join("")]),
          );
        },
      ),
    );
  });

  it("reads large objects, empty ones too", () => {
    const text = `SELECT pg_catalog.lo_open('16', 131072);\nSELECT pg_catalog.lowrite(0, '\\x00ff');\nSELECT pg_catalog.lowrite(0, '\\x01');\nSELECT pg_catalog.lo_close(0);\n\nSELECT pg_catalog.lo_open('17', 131072);\nSELECT pg_catalog.lo_close(0);\n`;
    assert.deepEqual(
      [...readInChunks(Buffer.from(text), [7]).objects],
      [
        ["16", "00ff01"],
        ["17", ""],
      ],
    );
  });

  it("refuses a text that ends in the middle of a table", () => {
    assert.throws(() => readInChunks(Buffer.from("COPY public.t (a) FROM stdin;\n1\n2\n"), [3]), /middle of public.t/);
  });
});
