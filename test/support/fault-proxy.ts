import { once } from "node:events";
import { Agent, createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import { type AddressInfo } from "node:net";
import { type Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { type SeededRandom } from "./random";

/** What can go wrong between a client and an S3 server. */
export const Fault = {
  /** The connection breaks before the server hears of the request. */
  ResetBefore: "reset before the request",
  /** The connection breaks in the middle of the request's body. */
  ResetDuring: "reset during the request",
  /** The server has done it, and the answer is lost. */
  ResetAfter: "reset instead of the answer",
  InternalError: "500 InternalError",
  SlowDown: "503 SlowDown",
  Throttled: "throttled bandwidth",
  /** The server's clock is ten minutes ahead, and it tolerates five. */
  ClockSkew: "clock skew",
  WrongRegion: "wrong region",
  /** The first credentials are no longer taken. */
  ExpiredCredentials: "expired credentials",
  TruncatedAnswer: "truncated answer",
  /** Objects that were written are not there yet, whatever was written after them. */
  ReorderedVisibility: "reordered visibility",
} as const;
export type Fault = (typeof Fault)[keyof typeof Fault];

/** A request as far as a plan is concerned. */
export interface S3Request {
  readonly operation: string;
  /** Of the object, the bucket left out; of a listing the prefix that was asked for. */
  readonly key: string;
}

/** What to do to which requests. */
export interface FaultPlan {
  readonly fault: Fault;
  /** Whether it may happen to this one. */
  readonly fits: (request: S3Request) => boolean;
  /** How many fitting requests pass before the first that does not. */
  readonly after: number;
  /** To how many requests it happens. */
  readonly times: number;
  /** Access key that expires, with `ExpiredCredentials`. */
  readonly expiringKey?: string;
  readonly random: SeededRandom;
}

/** Whether a fault can do anything to an operation. */
export function canStrike(fault: Fault, operation: string): boolean {
  // A bucket that took an upload does not move before its end.
  if (fault === Fault.WrongRegion) return operation !== "AbortMultipartUpload";
  if (fault === Fault.ResetDuring) return ["PutObject", "UploadPart", "CompleteMultipartUpload"].includes(operation);
  if (fault !== Fault.ReorderedVisibility) return true;
  return ["ListObjectVersions", "GetObject", "HeadObject"].includes(operation);
}

/** A slow line: slices of so many bytes, so many milliseconds apart; about 1 MB a second. */
const slice = { bytes: 16_384, everyMs: 16 };
const skewMs = 10 * 60_000;
const toleratedMs = 5 * 60_000;

/** A proxy before an S3 server that does to its requests what a plan says, and counts what it did. */
export class FaultProxy {
  /** What it happened to. */
  readonly fired: S3Request[] = [];
  private seen = 0;
  private readonly agent = new Agent({ keepAlive: true });

  private constructor(
    private readonly upstream: URL,
    private readonly plan: FaultPlan,
    private readonly server: Server,
  ) {}

  static async start(upstream: string, plan: FaultPlan): Promise<FaultProxy> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const proxy = new FaultProxy(new URL(upstream), plan, server);
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
    this.agent.destroy();
  }

  private async serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const s3Request = requestOf(incoming);
    const { operation } = s3Request;
    if (!this.strikes(incoming, s3Request)) return this.forward(incoming, outgoing);
    this.fired.push(s3Request);
    switch (this.plan.fault) {
      case Fault.ResetBefore:
        return void incoming.socket.destroy();
      case Fault.ResetDuring: {
        const body = await buffer(incoming);
        const upstream = this.open(incoming);
        upstream.on("error", () => {});
        upstream.write(body.subarray(0, this.plan.random.below(Math.max(1, body.length))), () => upstream.destroy());
        await once(upstream, "close");
        return void incoming.socket.destroy();
      }
      case Fault.ResetAfter:
        await this.exchange(incoming);
        return void incoming.socket.destroy();
      case Fault.InternalError:
        return this.refuse(incoming, outgoing, 500, "InternalError");
      case Fault.SlowDown:
        return this.refuse(incoming, outgoing, 503, "SlowDown");
      case Fault.ClockSkew:
        return this.refuse(incoming, outgoing, 403, "RequestTimeTooSkewed", {
          date: new Date(Date.now() + skewMs).toUTCString(),
        });
      case Fault.WrongRegion:
        return this.refuse(incoming, outgoing, 400, "AuthorizationHeaderMalformed", {}, "<Region>eu-west-1</Region>");
      case Fault.ExpiredCredentials:
        return this.refuse(incoming, outgoing, 400, "ExpiredToken");
      case Fault.Throttled:
        return this.forward(incoming, outgoing, { throttled: true });
      case Fault.TruncatedAnswer:
        return this.forward(incoming, outgoing, { truncated: true });
      case Fault.ReorderedVisibility:
        if (operation === "GetObject" || operation === "HeadObject") {
          return this.refuse(incoming, outgoing, 404, "NoSuchKey");
        }
        return this.forward(incoming, outgoing, { hidden: true });
    }
  }

  private strikes(incoming: IncomingMessage, s3Request: S3Request): boolean {
    const { fault, fits, after, times, expiringKey } = this.plan;
    if (!fits(s3Request)) return false;
    if (fault === Fault.ExpiredCredentials && !incoming.headers.authorization?.includes(expiringKey!)) return false;
    if (fault === Fault.ClockSkew && !isSkewed(incoming)) return false;
    const index = this.seen++;
    return index >= after && index < after + times;
  }

  private async forward(
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    how: { throttled?: boolean; truncated?: boolean; hidden?: boolean } = {},
  ): Promise<void> {
    const answer = await this.exchange(incoming, how.throttled);
    let { body } = answer;
    const headers = { ...answer.headers };
    if (how.hidden) {
      body = Buffer.from(hideSome(body.toString("utf8"), this.plan.random));
      headers["content-length"] = String(body.length);
    }
    if (how.truncated && body.length < 2) {
      // There is nothing of it but its head.
      incoming.socket.end(`HTTP/1.1 ${answer.status} `);
      return;
    }
    outgoing.writeHead(answer.status, headers);
    if (how.truncated) {
      outgoing.write(body.subarray(0, 1 + this.plan.random.below(body.length - 1)), () => incoming.socket.destroy());
      return;
    }
    if (how.throttled) {
      for (const part of slicesOf(body)) {
        outgoing.write(part);
        await delay(slice.everyMs);
      }
    } else outgoing.write(body);
    outgoing.end();
  }

  private open(incoming: IncomingMessage) {
    const { hostname, port } = this.upstream;
    // The host that was signed is the proxy's, so it stays; whether to wait for a 100 is between each two hops.
    const headers = Object.fromEntries(Object.entries(incoming.headers).filter(([name]) => name !== "expect"));
    return request({
      agent: this.agent,
      hostname,
      port,
      method: incoming.method,
      path: incoming.url,
      headers,
    });
  }

  private async exchange(incoming: IncomingMessage, throttled = false) {
    const upstream = this.open(incoming);
    // Before the body: a small one is answered while the line is still slow.
    const responded = once(upstream, "response") as Promise<[IncomingMessage]>;
    responded.catch(() => undefined);
    if (throttled) {
      for await (const chunk of incoming as Readable) {
        for (const part of slicesOf(chunk as Buffer)) {
          upstream.write(part);
          await delay(slice.everyMs);
        }
      }
      upstream.end();
    } else upstream.end(await buffer(incoming));
    const [response] = await responded;
    const body = await buffer(response);
    const headers: Record<string, string | string[] | undefined> = { ...response.headers };
    delete headers["transfer-encoding"];
    // The clocks part when the fault first strikes.
    if (this.plan.fault === Fault.ClockSkew && this.fired.length > 0)
      headers.date = new Date(Date.now() + skewMs).toUTCString();
    // The answer to a HEAD says how long the body would be.
    if (incoming.method !== "HEAD") headers["content-length"] = String(body.length);
    return { status: response.statusCode!, headers, body };
  }

  private async refuse(
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    status: number,
    code: string,
    headers: Record<string, string> = {},
    more = "",
  ): Promise<void> {
    incoming.resume();
    await once(incoming, "end");
    const body = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code} by the fault proxy</Message>${more}</Error>`;
    outgoing.writeHead(status, { "content-type": "application/xml", ...headers });
    outgoing.end(incoming.method === "HEAD" ? undefined : body);
  }
}

/** What a request to S3 asks for. */
export function requestOf({ method, url }: IncomingMessage): S3Request {
  const { pathname, searchParams } = new URL(url!, "http://host");
  const [, , ...segments] = pathname.split("/").map(decodeURIComponent);
  const key = segments.join("/");
  if (key === "") return { operation: bucketOperation(searchParams), key: searchParams.get("prefix") ?? "" };
  return { operation: objectOperation(method!, searchParams), key };
}

function bucketOperation(parameters: URLSearchParams): string {
  if (parameters.has("versions")) return "ListObjectVersions";
  return parameters.has("uploads") ? "ListMultipartUploads" : "ListObjectsV2";
}

function objectOperation(method: string, parameters: URLSearchParams): string {
  if (method === "POST") return parameters.has("uploads") ? "CreateMultipartUpload" : "CompleteMultipartUpload";
  if (method === "PUT") return parameters.has("partNumber") ? "UploadPart" : "PutObject";
  if (method === "DELETE") return "AbortMultipartUpload";
  return method === "HEAD" ? "HeadObject" : "GetObject";
}

function* slicesOf(data: Buffer): Generator<Buffer> {
  for (let at = 0; at < data.length; at += slice.bytes) yield data.subarray(at, at + slice.bytes);
}

/** Whether the request was signed by a clock that differs too much from the proxy's. */
function isSkewed({ headers }: IncomingMessage): boolean {
  const signed = String(headers["x-amz-date"]).replace(
    /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/,
    "$1-$2-$3T$4:$5:$6Z",
  );
  return Math.abs(new Date(signed).getTime() - (Date.now() + skewMs)) > toleratedMs;
}

/** Takes some of the objects out of a listing. */
function hideSome(xml: string, random: SeededRandom): string {
  let hidden = 0;
  return xml.replace(/<Version>.*?<\/Version>/gs, (version) => {
    if (hidden > 0 && random.next() < 0.5) return version;
    hidden++;
    return "";
  });
}
