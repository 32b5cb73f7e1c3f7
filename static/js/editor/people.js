/** Who else has this flow open: how they are called, drawn and told apart. Pure. */
import { counted } from "./wording.js";

/** @typedef {{id: string, name: string, is_you: boolean, windows: number, is_editing: boolean, node_ids: string[]}} Person */

const COLORS = 7;

/** Without accounts nobody knows whose window it is. */
export function nameOfPerson(person) {
  if (person.is_you) return person.windows > 1 ? `You, in ${person.windows} other windows` : "You, in another window";
  return person.name || "Another window";
}

export function doing(person) {
  return person.is_editing ? "editing" : "looking";
}

/** "Ada Lovelace" -> "AL", "grace" -> "GR"; empty for a window that nobody has a name for. */
export function initials(name) {
  const words = name.match(/[\p{L}\p{N}]+/gu) ?? [];
  const letters = words.length > 1 ? words[0][0] + words.at(-1)[0] : (words[0] ?? "").slice(0, 2);
  return letters.toUpperCase();
}

/** One of the colors of base.css, always the same one for an account; a window without an account stays gray. */
export function colorClass({ id, name }) {
  if (!name) return "family-unknown";
  let sum = 0;
  for (const letter of id) sum = (sum * 31 + letter.codePointAt(0)) % 1_000_003;
  return `family-${sum % COLORS}`;
}

/** "2 others have this flow open: Ada Lovelace (editing), Another window (looking)" */
export function allInWords(people) {
  const who = people.map((person) => `${nameOfPerson(person)} (${doing(person)})`).join(", ");
  return `${counted(people.length, "other")} ${people.length === 1 ? "has" : "have"} this flow open: ${who}`;
}

/** Who has a node selected; the same list for the same people. */
export function peopleAt(people, nodeId) {
  let byNode = known.get(people);
  if (!byNode) {
    byNode = new Map();
    for (const person of people) for (const id of person.node_ids) byNode.set(id, [...(byNode.get(id) ?? []), person]);
    known.set(people, byNode);
  }
  return byNode.get(nodeId) ?? NOBODY;
}

export const NOBODY = Object.freeze([]);
const known = new WeakMap();
