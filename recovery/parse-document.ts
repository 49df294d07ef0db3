import { type z } from "zod";

/** A document's value, or every reason why the text is not one. */
export type ParsedDocument<Value> =
  | { readonly value: Value; readonly problems?: undefined }
  | { readonly value?: undefined; readonly problems: readonly string[] };

/**
 * Reads a JSON document against its schema. Never throws on hostile text; every problem is named with the path of the
 * field that it is about.
 *
 * @param whole how the document as a whole is called in a problem
 * @param newestFormatVersion refuse a document whose `formatVersion` is newer, whatever else it holds
 */
export function parseDocument<Value>(
  text: string,
  schema: z.ZodType<Value>,
  whole: string,
  newestFormatVersion?: number,
): ParsedDocument<Value> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { problems: [`not JSON: ${(error as Error).message}`] };
  }
  const version = (value as { formatVersion?: unknown } | null)?.formatVersion;
  if (newestFormatVersion !== undefined && typeof version === "number" && version > newestFormatVersion) {
    return {
      problems: [
        `format version ${version} is newer than ${newestFormatVersion}, the newest that this version reads: use the runner that wrote it, or a newer one`,
      ],
    };
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return { value: parsed.data };
  return { problems: parsed.error.issues.map((issue) => `${issue.path.join(".") || whole}: ${issue.message}`) };
}
