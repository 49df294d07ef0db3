import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

/** What stands where the real RDS would have made a server. */
export interface StandInOptions {
  /** moto, which knows instances and has no servers behind them. */
  readonly upstream: string;
  /** Host of the real PostgreSQL that every instance but the sources is said to be; its port is the sources' own. */
  readonly host: string;
  /** Instances and clusters whose endpoints stay as moto invents them. */
  readonly sources: readonly string[];
}

/** One call of the RDS API. */
export interface StandInCall {
  readonly action: string;
  readonly parameters: URLSearchParams;
}

/**
 * STAND-IN for parts of AWS that moto has not: it passes everything on to moto, and
 *
 * - says of every new instance and cluster that its endpoint is a real local PostgreSQL, because moto makes no servers;
 * - answers `DescribeDBInstanceAutomatedBackups` with a `RestoreWindow`, which moto leaves out;
 * - says `creating` for the first looks at a new instance, where moto is done at once;
 * - can be told to be busy, and to lose an answer;
 * - answers AWS Backup's `ListRecoveryPointsByResource`, which moto has not at all.
 */
export class RdsStandIn {
  readonly calls: StandInCall[] = [];
  /** From when RDS's log reaches. */
  earliest = new Date(Date.now() - 86_400_000);
  /** How often a new instance is still being made when it is looked at. */
  looksUntilAvailable = 1;
  /** How many more changes of an instance it refuses, because the instance is busy. */
  busyFor = 0;
  /** An action that is done, and whose next answer gets lost on its way. */
  losesAnswerOf: string | undefined;
  /** What AWS Backup has, as its API spells it. */
  recoveryPoints: readonly object[] = [];
  private readonly looks = new Map<string, number>();

  private constructor(
    private readonly options: StandInOptions,
    private readonly http: Server,
  ) {}

  static async start(options: StandInOptions): Promise<RdsStandIn> {
    const http = createServer().listen(0, "127.0.0.1");
    await once(http, "listening");
    const standIn = new RdsStandIn(options, http);
    http.on("request", (incoming, outgoing) => void standIn.serve(incoming, outgoing).catch(() => outgoing.destroy()));
    return standIn;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.http.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.http.closeAllConnections();
    this.http.close();
    await once(this.http, "close");
  }

  /** The calls of an action so far. */
  callsOf(action: string): URLSearchParams[] {
    return this.calls.filter((call) => call.action === action).map(({ parameters }) => parameters);
  }

  private async serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const body = await buffer(incoming);
    if (/\/resources\/.+\/recovery-points/.test(decodeURIComponent(incoming.url!))) {
      outgoing.writeHead(200, { "content-type": "application/json" });
      outgoing.end(JSON.stringify({ RecoveryPoints: this.recoveryPoints }));
      return;
    }
    const isRds = /\/rds\/aws4_request/.test(incoming.headers.authorization ?? "");
    const parameters = new URLSearchParams(isRds ? body.toString("utf8") : "");
    const action = parameters.get("Action") ?? "";
    if (isRds) this.calls.push({ action, parameters });
    if (action === "DescribeDBInstanceAutomatedBackups") {
      outgoing.writeHead(200, { "content-type": "text/xml" });
      outgoing.end(this.automatedBackups(parameters.get("DBInstanceIdentifier")!));
      return;
    }
    if (action === "ModifyDBInstance" && this.busyFor > 0) {
      this.busyFor -= 1;
      outgoing.writeHead(400, { "content-type": "text/xml" });
      outgoing.end(
        `<ErrorResponse xmlns="http://rds.amazonaws.com/doc/2014-10-31/"><Error><Type>Sender</Type><Code>InvalidDBInstanceState</Code><Message>Instance is not available.</Message></Error><RequestId>1</RequestId></ErrorResponse>`,
      );
      return;
    }
    const headers = Object.fromEntries(
      Object.entries(incoming.headers).flatMap(([name, value]) =>
        typeof value === "string" && !["host", "connection", "content-length", "expect"].includes(name)
          ? [[name, value]]
          : [],
      ),
    );
    const answer = await fetch(new URL(incoming.url!, this.options.upstream), {
      method: incoming.method!,
      headers,
      ...(body.length > 0 ? { body } : {}),
    });
    const text = await answer.text();
    if (isRds && action === this.losesAnswerOf) {
      this.losesAnswerOf = undefined;
      outgoing.destroy();
      return;
    }
    const type = answer.headers.get("content-type") ?? "text/xml";
    outgoing.writeHead(answer.status, { "content-type": type });
    outgoing.end(isRds && answer.ok ? this.withServers(action, text) : text);
  }

  /** The same answer, in which what is new has a server behind it. */
  private withServers(action: string, text: string): string {
    const { host } = this.options;
    const asNew = (element: string, identifier: string | undefined): string => {
      if (identifier === undefined) return element;
      if (this.options.sources.includes(identifier)) return element;
      const looked = this.looks.get(identifier) ?? 0;
      if (action.startsWith("Describe")) this.looks.set(identifier, looked + 1);
      const status = looked < this.looksUntilAvailable ? "creating" : "$2";
      return element
        .replace(/<Address>[^<]*<\/Address>/g, `<Address>${host}</Address>`)
        .replace(/(<Endpoint>)([^<\s][^<]*)(<\/Endpoint>)/g, `$1${host}$3`)
        .replace(/(<DBInstanceStatus>|<Status>)(available)(<)/, `$1${status}$3`);
    };
    return text
      .replace(/<DBInstance>.*?<\/DBInstance>/gs, (element) =>
        asNew(element, /<DBInstanceIdentifier>([^<]*)</.exec(element)?.[1]),
      )
      .replace(/<DBCluster>.*?<\/DBCluster>/gs, (element) =>
        asNew(element, /<DBClusterIdentifier>([^<]*)</.exec(element)?.[1]),
      );
  }

  private automatedBackups(identifier: string): string {
    const window = `<RestoreWindow><EarliestTime>${this.earliest.toISOString()}</EarliestTime><LatestTime>${new Date().toISOString()}</LatestTime></RestoreWindow>`;
    const backup = `<DBInstanceAutomatedBackup><DBInstanceIdentifier>${identifier}</DBInstanceIdentifier><Status>active</Status>${window}</DBInstanceAutomatedBackup>`;
    const name = "DescribeDBInstanceAutomatedBackups";
    return `<${name}Response xmlns="http://rds.amazonaws.com/doc/2014-10-31/"><${name}Result><DBInstanceAutomatedBackups>${backup}</DBInstanceAutomatedBackups></${name}Result></${name}Response>`;
  }
}
