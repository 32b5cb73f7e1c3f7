/** Where the marks of a chart stand: pure arithmetic, no DOM. Every chart is a box of pixels with y growing down. */
import { dayOfMonth } from "../lib/times.js";

const PAD = { left: 44, right: 12, top: 14, bottom: 40 };
const GROUP_GAP = 0.22;
/** Pixels of a label at a mark: one character at most, the room to its mark, and a line of labels. */
const CHARACTER = 7;
const MARK_GAP = 4;
const MARK_ROW = 14;

/**
 * A grouped bar chart with intervals.
 *
 * @param {{groups: {key: any, label: string}[], series: {name: string, label: string, values: Map<any, {mean: number, low: number|null, high: number|null, n: number}>}[]}} data
 * @param {{width: number, height: number}} size
 */
export function layoutBars({ groups, series }, { width, height }) {
  const plot = box(width, height);
  const tops = series.flatMap((one) => [...one.values.values()].map((value) => value.high ?? value.mean));
  const scale = scaleTo(Math.max(0, ...tops));
  const y = (value) => plot.bottom - (clamp(value, 0, scale.max) / scale.max) * (plot.bottom - plot.top);
  const band = (plot.right - plot.left) / Math.max(1, groups.length);
  const room = band * (1 - GROUP_GAP);
  const step = room / Math.max(1, series.length);
  const barWidth = Math.min(step * 0.86, 44);
  const bars = groups.flatMap((group, place) => series.flatMap((one, turn) => {
    const value = one.values.get(group.key);
    if (!value) return [];
    const x = plot.left + place * band + (band - step * series.length) / 2 + turn * step + (step - barWidth) / 2;
    const whisker = value.low == null ? null : { x: x + barWidth / 2, y1: y(value.high), y2: y(value.low) };
    return [{ series: one.name, group: group.key, x, y: y(value.mean), width: barWidth, height: plot.bottom - y(value.mean), whisker, value }];
  }));
  const labels = groups.map((group, place) => ({ x: plot.left + (place + 0.5) * band, y: plot.bottom + 18, text: group.label }));
  return { plot, bars, labels, ticks: scale.ticks.map((tick) => ({ y: y(tick), text: tick.toFixed(scale.digits) })) };
}

/**
 * Changes to the left and right of zero, one row each.
 *
 * @param {{label: string, mean: number, low: number|null, high: number|null}[]} rows
 */
export function layoutChanges(rows, { width, rowHeight = 30, labelWidth = 150 }) {
  const reach = Math.max(0.01, ...rows.flatMap((row) => [row.mean, row.low, row.high].filter((value) => value != null).map(Math.abs)));
  const scale = scaleTo(reach, 3);
  const left = labelWidth + 8;
  const right = width - 26; // half of "+150 %" stands behind the last tick
  const x = (value) => (left + right) / 2 + (clamp(value, -scale.max, scale.max) / scale.max) * ((right - left) / 2);
  const height = rows.length * rowHeight + 34;
  return {
    height,
    left,
    zero: x(0),
    rows: rows.map((row, place) => ({
      ...row,
      y: place * rowHeight + rowHeight / 2 + 4,
      x: Math.min(x(0), x(row.mean)),
      width: Math.abs(x(row.mean) - x(0)),
      whisker: row.low == null ? null : { x1: x(row.low), x2: x(row.high) },
    })),
    ticks: [...new Set([...scale.ticks.map((tick) => -tick), ...scale.ticks])].sort((a, b) => a - b).map((tick) => ({ x: x(tick), value: tick })),
  };
}

/**
 * A line over days with its interval, and marks where a version went live.
 *
 * @param {{date: string, rate: number|null, low: number|null, high: number|null, seen: number}[]} days
 * @param {{since: string, label: string}[]} marks ISO times
 */
export function layoutDays(days, marks, { width, height }) {
  const plot = box(width, height);
  const scale = scaleTo(Math.max(0, ...days.map((day) => day.high ?? 0)));
  const y = (value) => plot.bottom - (clamp(value, 0, scale.max) / scale.max) * (plot.bottom - plot.top);
  const step = (plot.right - plot.left) / Math.max(1, days.length);
  const x = (place) => plot.left + (place + 0.5) * step;
  const points = days.map((day, place) => ({ ...day, x: x(place), y: day.rate == null ? null : y(day.rate), y1: day.high == null ? null : y(day.high), y2: day.low == null ? null : y(day.low) }));
  const first = days.length ? Date.parse(`${days[0].date}T00:00:00Z`) : 0;
  const every = Math.max(1, Math.ceil(days.length / Math.max(1, Math.floor((plot.right - plot.left) / 72))));
  return {
    plot,
    points,
    lines: unbroken(points),
    marks: stacked(marks.map((mark) => ({ ...mark, x: plot.left + ((Date.parse(mark.since) - first) / 86400000) * step })).filter((mark) => mark.x >= plot.left && mark.x <= plot.right), plot),
    labels: points.filter((_, place) => place % every === 0).map((point) => ({ x: point.x, y: plot.bottom + 18, text: dayOfMonth(point.date) })),
    ticks: scale.ticks.map((tick) => ({ y: y(tick), value: tick })),
  };
}

/**
 * Marks with their labels below each other where they would lie on each other, to the left of a mark near the end.
 * A label that finds no place in the upper half is left out; the mark still tells its title.
 */
function stacked(marks, plot) {
  const ends = []; // of the labels in each row
  const most = Math.floor((plot.bottom - plot.top) / 2 / MARK_ROW);
  const taken = (spans, left, right) => spans.some((span) => left < span.right && right > span.left);
  return [...marks].sort((one, other) => one.x - other.x).map((mark) => {
    const width = mark.label.length * CHARACTER + 2 * MARK_GAP;
    const isLeft = mark.x + width > plot.right;
    const [left, right] = isLeft ? [mark.x - width, mark.x] : [mark.x, mark.x + width];
    let row = 0;
    while (ends[row] && taken(ends[row], left, right)) row += 1;
    const hasPlace = row < most;
    if (hasPlace) (ends[row] ??= []).push({ left, right });
    return { ...mark, label: hasPlace ? mark.label : "", labelX: mark.x + (isLeft ? -MARK_GAP : MARK_GAP), labelY: plot.top + 10 + row * MARK_ROW, isLeft };
  });
}

/** Round ticks from 0 to at least ``top``. */
export function scaleTo(top, wanted = 4) {
  if (!(top > 0)) return { max: 1, ticks: [0, 0.5, 1], digits: 1 };
  const rough = top / wanted;
  const exponent = Math.floor(Math.log10(rough));
  const factor = [1, 2, 2.5, 5, 10].find((candidate) => candidate * 10 ** exponent >= rough * 0.999);
  const step = factor * 10 ** exponent;
  const n = Math.ceil(top / step - 1e-9);
  const digits = Math.max(0, (factor === 10 ? -1 : 0) - exponent + (factor === 2.5 ? 1 : 0));
  return { max: n * step, ticks: Array.from({ length: n + 1 }, (_, place) => Number((place * step).toPrecision(12))), digits };
}

/** Runs of points that have a value, so that a day without any is a gap and no zero. */
function unbroken(points) {
  const runs = [];
  let run = [];
  for (const point of points) {
    if (point.y != null) run.push(point);
    else if (run.length) runs.push(run.splice(0));
  }
  return run.length ? [...runs, run] : runs;
}

function box(width, height) {
  return { left: PAD.left, right: width - PAD.right, top: PAD.top, bottom: height - PAD.bottom };
}

function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}
