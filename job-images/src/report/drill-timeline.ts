import { type RestorationDrill } from "../procedures/restoration-drill";
import { escapeXml } from "./escape-xml";
import { secondsText } from "./terminal";

const width = 960;
const left = 150;
const right = 30;
const barHeight = 20;
const rowHeight = 30;
const top = 74;

interface Bar {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  readonly colour: string;
}

const colours = { backup: "#4c78a8", lost: "#e07b39", recover: "#3b8f6b" };

/**
 * The drill as a picture: what was kept, what was lost, and how long the way back took. Time runs to the right, in
 * seconds since the backup began.
 */
export function drillTimeline(drill: RestorationDrill): string {
  const time = (name: string): number | undefined => {
    const moment = drill.moments.find((each) => each.name === name);
    return moment && new Date(moment.at).getTime() / 1000;
  };
  const start = time("backup begins")!;
  const disaster = time("disaster")!;
  const end = disaster + drill.recoverySeconds;
  const heartbeat = time("newest heartbeat in the copy");
  const bars: Bar[] = [{ name: "back up", from: start, to: time("backup complete")!, colour: colours.backup }];
  if (heartbeat !== undefined) bars.push({ name: "lost", from: heartbeat, to: disaster, colour: colours.lost });
  // What comes before the first phase is the second server's start.
  const phaseSeconds = drill.proof.phases.reduce((sum, phase) => sum + phase.seconds, 0);
  let at = Math.max(disaster, end - phaseSeconds);
  bars.push({ name: "start a server", from: disaster, to: at, colour: colours.recover });
  for (const phase of drill.proof.phases) {
    bars.push({ name: phase.name, from: at, to: at + phase.seconds, colour: colours.recover });
    at += phase.seconds;
  }

  const first = Math.min(start, heartbeat ?? start);
  const scale = (width - left - right) / Math.max(end - first, 0.001);
  const x = (seconds: number): number => left + (seconds - first) * scale;
  const height = top + bars.length * rowHeight + 40;
  const bottom = top + bars.length * rowHeight;
  const rows = bars.map((bar, row) => {
    const y = top + row * rowHeight;
    const barWidth = Math.max(2, (bar.to - bar.from) * scale);
    const fitsRight = x(bar.to) + 70 < width;
    return `<text x="${left - 12}" y="${y + 15}" text-anchor="end">${escapeXml(bar.name)}</text>
<rect x="${x(bar.from).toFixed(1)}" y="${y}" width="${barWidth.toFixed(1)}" height="${barHeight}" rx="3" fill="${bar.colour}"/>
<text x="${(fitsRight ? x(bar.to) + 6 : x(bar.from) - 6).toFixed(1)}" y="${y + 15}" class="small" text-anchor="${fitsRight ? "start" : "end"}">${secondsText(bar.to - bar.from)}</text>`;
  });
  const line = (seconds: number, label: string, y: number, anchor: "start" | "end" | "middle"): string =>
    `<line x1="${x(seconds).toFixed(1)}" x2="${x(seconds).toFixed(1)}" y1="${y + 6}" y2="${bottom}" class="mark"/>
<text x="${x(seconds).toFixed(1)}" y="${y}" text-anchor="${anchor}">${escapeXml(label)}</text>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="Timeline of the drill">
<style>text { font: 13px system-ui, sans-serif; fill: #1d2733 } .small { font-size: 12px; fill: #5a6878 } .mark { stroke: #b3261e; stroke-dasharray: 4 3 } .axis { stroke: #dde3ea }</style>
<line x1="${left}" x2="${width - right}" y1="${bottom + 4}" y2="${bottom + 4}" class="axis"/>
${line(disaster, `disaster: RPO ${secondsText(drill.achievedRpoSeconds)} lost, RTO ${secondsText(drill.recoverySeconds)} to recover`, 24, x(disaster) > width / 2 ? "end" : "start")}
${line(end, "proven", 48, "end")}
${rows.join("\n")}
<text x="${left}" y="${bottom + 24}" class="small">0 s</text>
<text x="${width - right}" y="${bottom + 24}" class="small" text-anchor="end">${secondsText(end - first)} in all</text>
</svg>`;
}
