/** Column widths follow the content; the last column is cut so that a row fits the terminal. */
export function table(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  columns = terminalWidth(),
): string {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => visibleLength(row[column] ?? ""))));
  const gaps = 2 * (header.length - 1);
  const fixed = widths.slice(0, -1).reduce((sum, width) => sum + width, 0) + gaps;
  const last = Math.max(10, columns - fixed);
  return all
    .map((row) =>
      row
        .map((cell, column) => {
          if (column === header.length - 1) return cut(cell, last);
          return cell + " ".repeat(widths[column]! - visibleLength(cell) + 2);
        })
        .join("")
        .trimEnd(),
    )
    .join("\n");
}

// Colour codes take no room.
// eslint-disable-next-line no-control-regex
const colourCodes = /\u001b\[\d+m/g;

function visibleLength(text: string): number {
  return text.replace(colourCodes, "").length;
}

function cut(text: string, width: number): string {
  return visibleLength(text) <= width ? text : `${text.replace(colourCodes, "").slice(0, width - 1)}…`;
}

function terminalWidth(): number {
  return process.stdout.columns ?? 120;
}

const colours = { pass: 32, fail: 31, inconclusive: 33 } as const;

/** A verdict, coloured on a terminal only. */
export function verdictText(verdict: keyof typeof colours): string {
  const useColour = process.stdout.isTTY && process.env.NO_COLOR === undefined;
  return useColour ? `\u001b[${colours[verdict]}m${verdict}\u001b[0m` : verdict;
}

const units = ["B", "kB", "MB", "GB", "TB"];

/** `1234567` as `1.2 MB`. */
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** Seconds as a person says them: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`. */
export function secondsText(seconds: number | "unknown" | undefined): string {
  if (seconds === undefined || seconds === "unknown") return "unknown";
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return twoUnits(Math.floor(whole / 60), "min", whole % 60, "s");
  return twoUnits(Math.floor(whole / 3600), "h", Math.round((whole % 3600) / 60), "min");
}

function twoUnits(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}
