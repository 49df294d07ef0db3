import { type EvidencePhase, phaseTerms, TermName } from "../../../recovery";
import { type RestorationDrill } from "../procedures/restoration-drill";
import { escapeXml } from "./escape-xml";
import { secondsText } from "./terminal";

const width = 960;
const left = 132;
const right = 150;
const barHeight = 26;
const rowHeight = 50;
const top = 64;

/** One way back: what was lost by it, and what the time went into. */
interface Way {
  readonly name: string;
  /** Under the name. */
  readonly of: string;
  /** `unknown` where nobody can say; absent where nothing is lost by it. */
  readonly lostSeconds?: number | "unknown";
  readonly phases: readonly EvidencePhase[];
  readonly seconds: number;
  readonly plannedSeconds?: number;
}

const lostColour = "#d9773a";
/** By what the time goes into; what has no term of its own is grey. */
const termColours: Readonly<Record<string, string>> = {
  [TermName.Fetch]: "#9db9d6",
  [TermName.Restore]: "#4c78a8",
  [TermName.Replay]: "#5fa8a3",
  [TermName.Verify]: "#3b8f6b",
};
const otherTerm = "start and switch";
const otherColour = "#c3ccd5";

/**
 * The drill as a picture: every way back begins at the disaster. To the left of it is what was lost, to the right how long
 * the way took and what the time went into; both on one scale of seconds.
 */
export function drillTimeline(drill: RestorationDrill): string {
  const ways = waysOf(drill);
  const lost = Math.max(...ways.map(({ lostSeconds }) => (typeof lostSeconds === "number" ? lostSeconds : 0)), 0.5);
  const longest = Math.max(...ways.map(({ seconds }) => seconds), 0.5);
  const scale = (width - left - right) / (lost + longest);
  const zero = left + lost * scale;
  const bottom = top + ways.length * rowHeight;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${bottom + 58}" role="img" aria-label="What was lost and how long each way back took">
<style>text { font: 13px system-ui, sans-serif; fill: #1d2733 } .strong { font-weight: 600 } .small { font-size: 12px; fill: #5a6878 } .inside { font-size: 11px; fill: #fff } .mark { stroke: #b3261e; stroke-width: 1.5 } .grid { stroke: #e6ebf0 } .lost { fill: ${lostColour} }</style>
<text x="${zero.toFixed(1)}" y="20" text-anchor="middle" class="strong" style="fill: #b3261e">disaster</text>
<text x="${(zero - 12).toFixed(1)}" y="42" text-anchor="end" class="small">lost (RPO)</text>
<text x="${(zero + 12).toFixed(1)}" y="42" class="small">way back, proven at its end (RTO)</text>
${gridLines(zero, lost, longest, scale, bottom)}
${ways.map((way, row) => wayRow(way, top + row * rowHeight, zero, scale)).join("\n")}
<line x1="${zero.toFixed(1)}" x2="${zero.toFixed(1)}" y1="28" y2="${bottom + 2}" class="mark"/>
${legend(ways, bottom + 44)}
</svg>`;
}

function waysOf({ proof, achievedRpoSeconds, recoverySeconds, log, table, file, planned }: RestorationDrill): Way[] {
  const plannedFor = (id: string): number | undefined =>
    planned.find((each) => each.id === id)?.terms.at(-1)?.estimatedSeconds ?? undefined;
  return [
    {
      name: "Dump",
      of: "a new server",
      lostSeconds: achievedRpoSeconds,
      phases: proof.phases,
      seconds: recoverySeconds,
      plannedSeconds: plannedFor(planned[0]?.id ?? ""),
    },
    {
      name: "Point in time",
      of: "base and log",
      lostSeconds: log.achievedRpoSeconds,
      phases: log.proof.phases,
      seconds: log.recoverySeconds,
      plannedSeconds: plannedFor(log.recoveryPoint),
    },
    { name: "One table", of: table.table, phases: table.phasesOfWork, seconds: table.recoverySeconds },
    {
      name: "SQLite file",
      of: "over the damaged one",
      lostSeconds: file.achievedRpoSeconds,
      phases: file.proof.phases,
      seconds: file.recoverySeconds,
      plannedSeconds: plannedFor(file.recoveryPoint),
    },
  ];
}

function wayRow(
  { name, of, lostSeconds, phases, seconds, plannedSeconds }: Way,
  y: number,
  zero: number,
  scale: number,
): string {
  const middle = y + barHeight / 2 + 4;
  const parts = [
    `<text x="${left - 116}" y="${y + 12}" class="strong">${escapeXml(name)}</text>`,
    `<text x="${left - 116}" y="${y + 28}" class="small">${escapeXml(of)}</text>`,
  ];
  if (typeof lostSeconds === "number") {
    const size = Math.max(1.5, lostSeconds * scale);
    parts.push(
      `<rect x="${(zero - size).toFixed(1)}" y="${y}" width="${size.toFixed(1)}" height="${barHeight}" rx="2" class="lost"><title>${secondsText(lostSeconds)} lost</title></rect>`,
    );
    parts.push(
      size > 44
        ? `<text x="${(zero - size / 2).toFixed(1)}" y="${middle}" text-anchor="middle" class="inside">${secondsText(lostSeconds)}</text>`
        : `<text x="${(zero - size - 6).toFixed(1)}" y="${middle}" text-anchor="end" class="small">${secondsText(lostSeconds)}</text>`,
    );
  }
  let x = zero;
  for (const { term, seconds: length } of byTerm(phases, seconds)) {
    const size = length * scale;
    parts.push(
      `<rect x="${x.toFixed(1)}" y="${y}" width="${Math.max(0.5, size).toFixed(1)}" height="${barHeight}" fill="${termColours[term] ?? otherColour}"><title>${escapeXml(term)} ${secondsText(length)}</title></rect>`,
    );
    if (size > 40 && term in termColours) {
      parts.push(
        `<text x="${(x + size / 2).toFixed(1)}" y="${middle}" text-anchor="middle" class="inside">${secondsText(length)}</text>`,
      );
    }
    x += size;
  }
  parts.push(`<text x="${(x + 8).toFixed(1)}" y="${y + 12}" class="strong">${secondsText(seconds)}</text>`);
  if (plannedSeconds !== undefined) {
    parts.push(
      `<text x="${(x + 8).toFixed(1)}" y="${y + 28}" class="small">planned ${secondsText(plannedSeconds)}</text>`,
    );
  }
  return parts.join("\n");
}

/** The phases in their order, neighbours of one term joined; what no phase accounts for comes first. */
function byTerm(phases: readonly EvidencePhase[], total: number): { term: string; seconds: number }[] {
  const known = phases.reduce((sum, phase) => sum + phase.seconds, 0);
  const joined: { term: string; seconds: number }[] =
    total > known ? [{ term: otherTerm, seconds: total - known }] : [];
  for (const { name, seconds } of phases) {
    const term = phaseTerms.get(name) ?? otherTerm;
    const last = joined.at(-1);
    if (last?.term === term) last.seconds += seconds;
    else joined.push({ term, seconds });
  }
  return joined;
}

/** Whole steps that leave about six lines in the picture. */
function gridLines(zero: number, lost: number, longest: number, scale: number, bottom: number): string {
  const step =
    [0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600].find((each) => (lost + longest) / each <= 8) ?? 7200;
  const lines: string[] = [];
  for (let at = -Math.floor(lost / step) * step; at <= longest; at += step) {
    const x = (zero + at * scale).toFixed(1);
    lines.push(`<line x1="${x}" x2="${x}" y1="${top - 8}" y2="${bottom + 2}" class="grid"/>`);
    if (at !== 0)
      lines.push(
        `<text x="${x}" y="${bottom + 18}" text-anchor="middle" class="small">${at < 0 ? "−" : "+"}${secondsText(Math.abs(at)).replace(".0 s", " s")}</text>`,
      );
  }
  return lines.join("\n");
}

function legend(ways: readonly Way[], y: number): string {
  const used = new Set(ways.flatMap(({ phases, seconds }) => byTerm(phases, seconds).map(({ term }) => term)));
  const entries = [
    ["lost", lostColour] as const,
    ...Object.entries(termColours).filter(([term]) => used.has(term)),
    ...(used.has(otherTerm) ? [[otherTerm, otherColour] as const] : []),
  ];
  let x = left;
  return entries
    .map(([term, colour]) => {
      const entry = `<rect x="${x}" y="${y - 10}" width="12" height="12" rx="2" fill="${colour}"/><text x="${x + 18}" y="${y}" class="small">${escapeXml(term)}</text>`;
      x += 40 + term.length * 7;
      return entry;
    })
    .join("\n");
}
