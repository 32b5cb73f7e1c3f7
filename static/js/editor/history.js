/** Undo and redo as a list of whole documents, which share all they have in common. Pure. */

/** Typing in one field within this time is one step. */
export const BURST_MS = 1000;
const MOST_STEPS = 500;

/**
 * @typedef {{label: string, key: string|null, at: number, before: object, after: object, flowName?: {before: string, after: string}}} Step
 *   flowName: what the flow was called before and after the step, when that changed as well
 * @typedef {{past: Step[], future: Step[], entered: object|null}} History
 *   entered: the document as it was when the panel was entered, to which Escape there goes back
 */

/** @returns {History} */
export function emptyHistory() {
  return { past: [], future: [], entered: null };
}

/**
 * The history after one more edit. An edit with the same `key` as the last one, soon after it, joins that step, and
 * its beginning stays where the burst began.
 */
export function record(history, { label, key = null, at, before, after, flowName }) {
  const last = history.past.at(-1);
  const joins = last && key !== null && last.key === key && at - last.at <= BURST_MS && history.future.length === 0;
  const step = { label, key, at, before: joins ? last.before : before, after, ...(flowName && { flowName }) };
  const past = joins ? history.past.slice(0, -1) : history.past;
  return { ...history, past: [...past, step].slice(-MOST_STEPS), future: [] };
}

/** The last step taken back, as `{history, flow, label, flowName}`; null when there is none. */
export function undo(history) {
  const step = history.past.at(-1);
  if (!step) return null;
  return {
    history: { ...history, past: history.past.slice(0, -1), future: [...history.future, step] },
    flow: step.before,
    label: step.label,
    flowName: step.flowName?.before,
  };
}

/** The last step taken back, done again; null when there is none. */
export function redo(history) {
  const step = history.future.at(-1);
  if (!step) return null;
  return {
    history: { ...history, past: [...history.past, step], future: history.future.slice(0, -1) },
    flow: step.after,
    label: step.label,
    flowName: step.flowName?.after,
  };
}

/** The history from now on in a panel that was just entered. */
export function enter(history, flow) {
  return { ...history, entered: flow };
}

/**
 * The same steps with every document put through `change`: how a colleague's edits survive an undo or an Escape of ours.
 *
 * @param {(flow: object, preferred?: "theirs") => object} change an undo gives back our values also where a colleague wrote
 *   over them; Escape, which means our latest edits, leaves those alone
 */
export function mapDocuments(history, change) {
  const mapped = (step) => ({ ...step, before: change(step.before), after: change(step.after) });
  return { past: history.past.map(mapped), future: history.future.map(mapped), entered: history.entered && change(history.entered, "theirs") };
}
