import { spawn } from "node:child_process";
import { waitFor } from "./wait-for";
import { runnerBundle } from "./runner";

/** The runner on a terminal of its own, with somebody at the keyboard. */
export class TerminalSession {
  /** Everything on the screen so far. */
  screen = "";
  private readonly terminal;
  private readonly ended: Promise<number | null>;

  /** @param args words without spaces: util-linux's `script`, which makes the terminal, takes one line */
  constructor(args: readonly string[]) {
    const line = [process.execPath, runnerBundle(), ...args].join(" ");
    this.terminal = spawn("script", ["--quiet", "--return", "--flush", "--command", line, "/dev/null"]);
    for (const stream of [this.terminal.stdout, this.terminal.stderr]) {
      stream.on("data", (chunk: Buffer) => (this.screen += chunk.toString("utf8")));
    }
    this.ended = new Promise((done) => this.terminal.once("close", done));
  }

  /** Waits for a question, and types. */
  async answer(question: string, text: string): Promise<void> {
    await waitFor(`${question}\n${this.screen}`, 30, () => this.screen.includes(question));
    this.terminal.stdin.write(`${text}\r`);
  }

  /** Waits for a question, and presses a key instead. */
  async press(question: string, key: string): Promise<void> {
    await waitFor(`${question}\n${this.screen}`, 30, () => this.screen.includes(question));
    this.terminal.stdin.write(key);
  }

  /** @returns its exit code */
  end(): Promise<number | null> {
    return this.ended;
  }
}
