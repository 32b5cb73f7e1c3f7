/** The editor's words for counts, times and states, so that screen and screen reader say the same. Pure. */
import { indexed } from "./flow-index.js";
import { nameOf } from "./node-types.js";

export const STATE_WORDS = {
  queued: "Queued", running: "Running", done: "Done", cached: "Cached", failed: "Failed", skipped: "Skipped", cancelled: "Cancelled",
};

export function counted(n, noun) {
  return `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
}

export function sentenceCase(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** 0.4 -> "<1 ms", 12.3 -> "12 ms", 2340 -> "2.3 s" */
export function duration(ms) {
  if (ms === undefined || ms === null) return "";
  if (ms < 1) return "<1 ms";
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

export function clockTime(iso) {
  const date = new Date(iso);
  return Number.isNaN(date.getTime()) ? "" : date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}

export function dateTime(iso) {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return String(iso ?? "");
  return date.toLocaleString([], { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}

/** Money of all sizes: 0.000123 -> "USD 0.00012", 0 -> "no cost" */
export function money(amount, currency = "") {
  if (amount === 0) return "no cost";
  const figures = amount >= 1 ? amount.toFixed(2) : Number(amount.toPrecision(2)).toLocaleString("en", { maximumFractionDigits: 10 });
  return [currency, figures].filter(Boolean).join(" ");
}

/** Scores of all sizes in a few characters. */
export function score(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "";
  if (Math.abs(value) >= 1e6) return value.toLocaleString("en", { notation: "compact", maximumSignificantDigits: 3 });
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

/** A setting's value for a diff or a card. */
export function shortValue(value) {
  if (value === undefined) return "not set";
  if (value === null) return "none";
  if (Array.isArray(value)) return value.length === 0 ? "none" : value.map(shortValue).join(", ");
  if (typeof value !== "string") return JSON.stringify(value);
  const isWord = /^[a-z]+(_[a-z]+)+$/.test(value); // a choice such as round_robin, not an expression
  return isWord ? value.replaceAll("_", " ") : value || "empty";
}

/** "settings.n_factors" as people say it. */
export function fieldName(field) {
  return field.replace(/^settings\./, "").replaceAll("_", " ");
}

/** What a screen reader says of a node: type, name, state, inputs, outputs. */
export function describeNode(node, { types, flow, run, stale, problems, failing }) {
  const type = types.get(node.type);
  const index = indexed(flow);
  const names = (ids) => ids.map((id) => nameOf(index.node(id) ?? { name: id }, types)).join(", ");
  const inputs = index.inputs(node.id).map((edge) => edge.source);
  const outputs = index.outputs(node.id).map((edge) => edge.target);
  const parts = [type?.label ?? `Unknown type ${node.type}`];
  if (node.name && node.name !== type?.label) parts.push(node.name);
  if (node.disabled) parts.push("switched off");
  if (run) parts.push([STATE_WORDS[run.state].toLowerCase(), run.count !== undefined && counted(run.count, run.unit)].filter(Boolean).join(", "));
  if (failing) parts.push(failing.message);
  if (stale) parts.push(`out of date: ${stale}`);
  if (problems.length > 0) parts.push(counted(problems.length, "problem"));
  parts.push(inputs.length > 0 ? `fed by ${names(inputs)}` : "no inputs");
  parts.push(outputs.length > 0 ? `feeds ${names(outputs)}` : "no outputs");
  return parts.join("; ");
}
