/** Where recovery points are kept, as a URL says it. */
export type StoreLocation =
  | { readonly kind: "directory"; readonly path: string }
  | {
      readonly kind: "s3";
      readonly bucket: string;
      /** Key prefix inside the bucket, without slashes at its ends; empty for the whole bucket. */
      readonly prefix: string;
      readonly region?: string;
      /** Another server than AWS S3. */
      readonly endpoint?: string;
      /** `https://endpoint/bucket/key`. @default true with an endpoint, false without */
      readonly pathStyle: boolean;
      /** Twelve digits: requests fail when the bucket belongs to anybody else. */
      readonly expectedBucketOwner?: string;
      /** Encrypt with this KMS key rather than the bucket's default. */
      readonly kmsKeyId?: string;
    };

const s3Parameters = ["region", "endpoint", "pathStyle", "expectedBucketOwner", "kmsKeyId"];

/**
 * Reads a store URL: `file:///dir`, or
 * `s3://bucket/prefix?region=...&endpoint=...&pathStyle=...&expectedBucketOwner=...&kmsKeyId=...`.
 * Every problem is in `problems`; a misspelt parameter is one, because ignoring it would be silent.
 */
export function parseStoreUrl(text: string): {
  readonly location?: StoreLocation;
  readonly problems: readonly string[];
} {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return { problems: [`expected file:///directory or s3://bucket/prefix, got ${JSON.stringify(text)}`] };
  }
  if (url.username || url.password) return { problems: ["must not hold credentials: they come from the environment"] };
  if (url.protocol === "file:") return parseFileUrl(url, text);
  if (url.protocol === "s3:") return parseS3Url(url, text);
  return { problems: [`expected file:// or s3://, got ${url.protocol}//`] };
}

function parseFileUrl(url: URL, text: string): ReturnType<typeof parseStoreUrl> {
  const problems: string[] = [];
  if (url.host) problems.push(`expected three slashes (file:///directory), got ${JSON.stringify(text)}`);
  const path = decodeURIComponent(url.pathname);
  if (path === "/" || path === "") problems.push("expected a directory of its own, got the root of the file system");
  if (url.search) problems.push(`takes no parameters, got ${url.search}`);
  if (problems.length > 0) return { problems };
  return { location: { kind: "directory", path }, problems };
}

function parseS3Url(url: URL, text: string): ReturnType<typeof parseStoreUrl> {
  const problems: string[] = [];
  const bucket = url.host;
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)) {
    problems.push(`expected a bucket name after s3://, got ${JSON.stringify(text)}`);
  }
  for (const name of url.searchParams.keys()) {
    if (!s3Parameters.includes(name)) {
      problems.push(`does not know the parameter ${JSON.stringify(name)}; it takes ${s3Parameters.join(", ")}`);
    }
  }
  const parameter = (name: string): string | undefined => url.searchParams.get(name) || undefined;
  const endpoint = parameter("endpoint");
  if (endpoint !== undefined && !/^https?:\/\/[^/]/.test(endpoint)) {
    problems.push(`expected endpoint to be an http or https URL, got ${JSON.stringify(endpoint)}`);
  }
  const owner = parameter("expectedBucketOwner");
  if (owner !== undefined && !/^\d{12}$/.test(owner)) {
    problems.push(`expected expectedBucketOwner to be twelve digits, got ${JSON.stringify(owner)}`);
  }
  const style = parameter("pathStyle");
  if (style !== undefined && style !== "true" && style !== "false") {
    problems.push(`expected pathStyle to be true or false, got ${JSON.stringify(style)}`);
  }
  if (problems.length > 0) return { problems };
  return {
    location: {
      kind: "s3",
      bucket,
      prefix: decodeURIComponent(url.pathname).replace(/^\/+|\/+$/g, ""),
      region: parameter("region"),
      endpoint,
      pathStyle: style === undefined ? endpoint !== undefined : style === "true",
      expectedBucketOwner: owner,
      kmsKeyId: parameter("kmsKeyId"),
    },
    problems,
  };
}
