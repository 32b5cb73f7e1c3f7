/** What if the user had done something else: the changes of a preview, and their words. Pure. */
import { counted } from "./wording.js";

/**
 * @typedef {{item_id: string, title: string, sense: "positive"|"read"|"negative", time: string}} Added
 * @typedef {{item_id: string, type: string}} Removed
 * @typedef {{anonymous: boolean, add: Added[], remove: Removed[]}} WhatIf
 */

/** The user as they are. @type {WhatIf} */
export const AS_IT_IS = Object.freeze({ anonymous: false, add: Object.freeze([]), remove: Object.freeze([]) });

/** Somebody without a name who has done nothing yet. @type {WhatIf} */
export const SOMEBODY = Object.freeze({ ...AS_IT_IS, anonymous: true });

/** What can be said about an item, in the words of the screen. */
export const SENSES = { positive: "likes it", read: "has seen it", negative: "rejects it" };

/** With feedback on one more item; what was said before of the same item is replaced. The newest comes first. */
export function added(whatIf, { item_id, title, sense, time }) {
  return { ...whatIf, add: [{ item_id, title: title || item_id, sense, time }, ...whatIf.add.filter((row) => row.item_id !== item_id)] };
}

export function withoutAdded(whatIf, itemId) {
  return { ...whatIf, add: whatIf.add.filter((row) => row.item_id !== itemId) };
}

/** Leave one feedback of the user out, or let it count again. */
export function toggleRemoved(whatIf, { item_id, type }) {
  const others = whatIf.remove.filter((row) => row.item_id !== item_id || row.type !== type);
  return { ...whatIf, remove: others.length < whatIf.remove.length ? others : [...others, { item_id, type }] };
}

export function isRemoved(whatIf, { item_id, type }) {
  return whatIf.remove.some((row) => row.item_id === item_id && row.type === type);
}

export function changeCount(whatIf) {
  return whatIf.add.length + whatIf.remove.length;
}

/** What the run message carries, undefined for the user as they are. */
export function told(whatIf) {
  if (!whatIf.anonymous && changeCount(whatIf) === 0) return undefined;
  return { anonymous: whatIf.anonymous, add: whatIf.add.map(({ item_id, sense, time }) => ({ item_id, sense, time })), remove: whatIf.remove };
}

/** "what-if: 2 changes", or "" when nothing is changed. A session is what it is: nothing of it is a change. */
export function marked(whatIf) {
  const n = changeCount(whatIf);
  return whatIf.anonymous || n === 0 ? "" : `what-if: ${counted(n, "change")}`;
}

/** Whom a list is for. */
export function whom(userId, whatIf) {
  return whatIf.anonymous ? `an anonymous session of ${counted(whatIf.add.length, "item")}` : userId;
}
