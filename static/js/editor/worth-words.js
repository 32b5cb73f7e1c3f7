/** What a node was measured to be worth, in words; never without the number of users. */
import { signedPercent } from "../evaluation/numbers.js";
import { isSame } from "./equality.js";
import { counted } from "./wording.js";

/**
 * @param {object|null} worth as the server tells it, see docs/protocol.md
 * @returns {{short: string, long: string}|null} null for a node that was not measured; `short` is empty where no
 *   number says anything
 */
export function worthWords(worth, nodeId) {
  const part = worth?.nodes.find((each) => each.node_id === nodeId);
  if (!part) return null;
  const users = counted(worth.users, "user");
  if (part.not_measured) return { short: "", long: `Not measured: ${lowerFirst(part.not_measured)}.` };
  if (part.lists_changed === 0) return { short: `without it: no change · ${users}`, long: `Without it no list of ${users} changed.` };
  const { mean, low, high } = part.relative;
  if (mean === null) return { short: "", long: `The whole flow found nothing that ${users} liked next, so there is nothing to lose.` };
  const range = low === null ? "" : ` (95 % interval ${signedPercent(low)} to ${signedPercent(high)})`;
  const isUnclear = low === null || low * high <= 0;
  return {
    short: `without it: ${signedPercent(mean)} · ${users}`,
    long: `Without it: ${signedPercent(mean)} of NDCG@${worth.k}${range}, ${users}.${isUnclear ? " No clear change." : ""}`,
  };
}

/**
 * Would two drawings be measured alike? Where nodes stand, what they are called and what is pinned makes no difference;
 * `subject_of` on the server judges saved drawings by the same.
 */
export function measuresTheSame(one, other) {
  return one === other || isSame(measuredParts(one), measuredParts(other));
}

function measuredParts({ nodes, edges }) {
  return {
    nodes: Object.fromEntries(nodes.map(({ id, type, settings, disabled }) => [id, { type, settings, disabled: Boolean(disabled) }])),
    edges: edges.map(({ source, target, order }) => JSON.stringify([source, target, order])).sort(),
  };
}

function lowerFirst(text) {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
