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

/** What to do to which requests. */
export interface FaultPlan {
  readonly fault: Fault;
  /** The S3 operation that it happens to. @default any */
  readonly operation?: string;
  /** How many fitting requests pass before the first that does not. */
  readonly after: number;
  /** To how many requests it happens. */
  readonly times: number;
  /** Access key that expires, with `ExpiredCredentials`. */
  readonly expiringKey?: string;
  readonly random: SeededRandom;
}

const skewMs = 10 * 60_000;
const toleratedMs = 5 * 60_000;

/** A proxy before an S3 server that does to its requests what a plan says, and counts what it did. */
export class FaultProxy {
  /** How often each operation was hit. */
  readonly fired: string[] = [];
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
    const operation = operationOf(incoming);
    if (!this.strikes(incoming, operation)) return this.forward(incoming, outgoing);
    this.fired.push(operation);
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

  private strikes(incoming: IncomingMessage, operation: string): boolean {
    const { fault, operation: wanted, after, times, expiringKey } = this.plan;
    if (fault === Fault.ExpiredCredentials && !incoming.headers.authorization?.includes(expiringKey!)) return false;
    if (fault === Fault.ClockSkew && !isSkewed(incoming)) return false;
    if (fault === Fault.ReorderedVisibility && !readsParts(incoming, operation)) return false;
    if (fault === Fault.TruncatedAnswer && !hasAnswer(operation)) return false;
    if (wanted !== undefined && operation !== wanted) return false;
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
    outgoing.writeHead(answer.status, headers);
    if (how.truncated && body.length > 1) {
      outgoing.write(body.subarray(0, 1 + this.plan.random.below(body.length - 1)), () => incoming.socket.destroy());
      return;
    }
    if (how.throttled) {
      for (let at = 0; at < body.length; at += 16_384) {
        outgoing.write(body.subarray(at, at + 16_384));
        await delay(2);
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
    if (throttled) {
      for await (const chunk of incoming as Readable) {
        upstream.write(chunk);
        await delay(2);
      }
      upstream.end();
    } else upstream.end(await buffer(incoming));
    const [response] = (await once(upstream, "response")) as [IncomingMessage];
    const body = await buffer(response);
    const headers: Record<string, string | string[] | undefined> = { ...response.headers };
    delete headers["transfer-encoding"];
    if (this.plan.fault === Fault.ClockSkew) headers.date = new Date(Date.now() + skewMs).toUTCString();
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

/** The S3 operation that a request is. */
function operationOf({ method, url }: IncomingMessage): string {
  const { pathname, searchParams } = new URL(url!, "http://host");
  const isObject = pathname.split("/").filter((segment) => segment !== "").length > 1;
  if (!isObject) {
    if (searchParams.has("versions")) return "ListObjectVersions";
    return searchParams.has("uploads") ? "ListMultipartUploads" : "ListObjectsV2";
  }
  if (method === "POST") return searchParams.has("uploads") ? "CreateMultipartUpload" : "CompleteMultipartUpload";
  if (method === "PUT") return searchParams.has("partNumber") ? "UploadPart" : "PutObject";
  if (method === "DELETE") return "AbortMultipartUpload";
  return method === "HEAD" ? "HeadObject" : "GetObject";
}

/** Whether the request was signed by a clock that differs too much from the proxy's. */
function isSkewed({ headers }: IncomingMessage): boolean {
  const signed = String(headers["x-amz-date"]).replace(
    /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/,
    "$1-$2-$3T$4:$5:$6Z",
  );
  return Math.abs(new Date(signed).getTime() - (Date.now() + skewMs)) > toleratedMs;
}

const readsParts = ({ url }: IncomingMessage, operation: string): boolean =>
  (operation === "ListObjectVersions" || operation === "HeadObject" || operation === "GetObject") &&
  decodeURIComponent(url!).includes("parts/");

const hasAnswer = (operation: string): boolean => !["HeadObject", "AbortMultipartUpload"].includes(operation);

/** Takes some of the objects out of a listing. */
function hideSome(xml: string, random: SeededRandom): string {
  let hidden = 0;
  return xml.replace(/<Version>.*?<\/Version>/gs, (version) => {
    if (hidden > 0 && random.next() < 0.5) return version;
    hidden++;
    return "";
  });
}
