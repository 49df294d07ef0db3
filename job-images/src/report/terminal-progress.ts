import { type Progress } from "../progress";
import { bytesText } from "./terminal";

const redrawMilliseconds = 200;

/**
 * Progress on standard error. On a terminal one line is rewritten in place with the time and the bytes so far; in a log
 * each step is a line of its own.
 */
export class TerminalProgress implements Progress {
  private current: string | undefined;
  private startedAt = 0;
  private moved = 0;
  private timer: NodeJS.Timeout | undefined;
  private readonly live = process.stderr.isTTY === true;

  step(what: string): void {
    this.finishLine();
    this.current = what;
    this.startedAt = performance.now();
    this.moved = 0;
    if (!this.live) {
      process.stderr.write(`${what}\n`);
      return;
    }
    this.draw();
    this.timer ??= setInterval(() => this.draw(), redrawMilliseconds).unref();
  }

  bytes(count: number): void {
    this.moved = count;
  }

  note(text: string): void {
    if (this.live) process.stderr.write("\r\u001b[K");
    process.stderr.write(`${text}\n`);
  }

  /** Ends the line that is being rewritten. */
  end(): void {
    this.finishLine();
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private finishLine(): void {
    if (this.current === undefined) return;
    if (this.live) {
      this.draw();
      process.stderr.write("\n");
    }
    this.current = undefined;
  }

  private draw(): void {
    if (this.current === undefined) return;
    const bytes = this.moved === 0 ? "" : `  ${bytesText(this.moved)}`;
    process.stderr.write(
      `\r\u001b[K${this.current}  ${((performance.now() - this.startedAt) / 1000).toFixed(1)} s${bytes}`,
    );
  }
}
