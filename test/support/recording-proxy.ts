import { once } from "node:events";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import { type AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

/** One call that somebody made to AWS, or to what stands in for it. */
export interface RecordedCall {
  /** The access key that signed it. */
  readonly accessKeyId: string;
  /** What IAM calls it, for instance `s3:GetObjectVersion`. */
  readonly action: string;
  /** Of an S3 object, the bucket left out; of a listing the prefix that was asked for; else absent. */
  readonly key?: string;
  readonly status: number;
}

/** A proxy before the servers of several AWS services, told apart by what each request was signed for. */
export class RecordingProxy {
  readonly calls: RecordedCall[] = [];

  private constructor(
    private readonly upstreams: Readonly<Record<string, string>>,
    private readonly server: Server,
  ) {}

  /** @param upstreams endpoints by the service's name in a signature, for instance `s3`, `kms`, `monitoring` */
  static async start(upstreams: Readonly<Record<string, string>>): Promise<RecordingProxy> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const proxy = new RecordingProxy(upstreams, server);
    server.on("request", (incoming, outgoing) => void proxy.serve(incoming, outgoing).catch(() => outgoing.destroy()));
    return proxy;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, "close");
  }

  private async serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { accessKeyId, service } = signerOf(incoming);
    const body = await buffer(incoming);
    const upstream = new URL(this.upstreams[service]!);
    const forwarded = request({
      hostname: upstream.hostname,
      port: upstream.port,
      method: incoming.method,
      path: incoming.url,
      headers: Object.fromEntries(Object.entries(incoming.headers).filter(([name]) => name !== "expect")),
    });
    forwarded.end(body);
    const [answer] = (await once(forwarded, "response")) as [IncomingMessage];
    const call =
      service === "s3" ? s3Call(incoming) : { action: `${prefixes[service]}:${operationOf(incoming, body)}` };
    this.calls.push({ accessKeyId, status: answer.statusCode!, ...call });
    outgoing.writeHead(answer.statusCode!, answer.headers);
    answer.pipe(outgoing);
  }
}

const prefixes: Readonly<Record<string, string>> = { kms: "kms", monitoring: "cloudwatch" };

function signerOf({ headers }: IncomingMessage): { readonly accessKeyId: string; readonly service: string } {
  const [, accessKeyId, service] = /Credential=([^/]+)\/\d+\/[^/]+\/([^/]+)\//.exec(headers.authorization ?? "") ?? [];
  if (accessKeyId === undefined || service === undefined) throw new Error("The request was not signed.");
  return { accessKeyId, service };
}

/** Of a service with one path for everything. */
function operationOf({ headers, url }: IncomingMessage, body: Buffer): string {
  const target = headers["x-amz-target"];
  if (typeof target === "string") return target.slice(target.indexOf(".") + 1);
  return /\/operation\/(\w+)$/.exec(url!)?.[1] ?? new URLSearchParams(body.toString("utf8")).get("Action")!;
}

/** Which right a request to S3 needs (Amazon S3 API operations and their permissions). */
function s3Call({ method, url }: IncomingMessage): { readonly action: string; readonly key?: string } {
  const { pathname, searchParams } = new URL(url!, "http://host");
  const [, , ...segments] = pathname.split("/").map(decodeURIComponent);
  const key = segments.join("/");
  const has = (...names: string[]): boolean => names.some((name) => searchParams.has(name));
  if (key !== "") return { action: `s3:${objectAction(method!, has)}`, key };
  if (method === "GET" && !has(...Object.keys(subresources))) {
    return {
      action: `s3:${has("versions") ? "ListBucketVersions" : "ListBucket"}`,
      key: searchParams.get("prefix") ?? "",
    };
  }
  const [, resource] = Object.entries(subresources).find(([name]) => searchParams.has(name))!;
  return {
    action: `s3:${resource.startsWith("List") || resource.startsWith("Delete") ? "" : method === "GET" ? "Get" : "Put"}${resource}`,
  };
}

/** What of a bucket a parameter speaks of, as the actions name it. */
const subresources: Readonly<Record<string, string>> = {
  uploads: "ListBucketMultipartUploads",
  delete: "DeleteObjectVersion",
  policy: "BucketPolicy",
  versioning: "BucketVersioning",
  lifecycle: "LifecycleConfiguration",
  "object-lock": "BucketObjectLockConfiguration",
  publicAccessBlock: "BucketPublicAccessBlock",
};

function objectAction(method: string, has: (...names: string[]) => boolean): string {
  const version = has("versionId") ? "Version" : "";
  if (has("retention")) return "PutObjectRetention";
  if (has("legal-hold")) return "PutObjectLegalHold";
  if (has("acl")) return `PutObject${version}Acl`;
  if (has("tagging")) return `${method === "PUT" ? "Put" : "Delete"}Object${version}Tagging`;
  if (method === "DELETE") return has("uploadId") ? "AbortMultipartUpload" : `DeleteObject${version}`;
  return method === "PUT" || method === "POST" ? "PutObject" : `GetObject${version}`;
}
