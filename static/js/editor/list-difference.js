/** Two recommended lists for the same user, before and after: what entered, what left, what moved. Pure. */

/**
 * @param {{item_id: string, title: string, rank: number}[]} before
 * @param {{item_id: string, title: string, rank: number}[]} after
 * @returns {{entered: object[], left: object[], moved: {item_id: string, title: string, from: number, to: number}[]}}
 */
export function compareLists(before, after) {
  const old = new Map(before.map((item) => [item.item_id, item]));
  const now = new Map(after.map((item) => [item.item_id, item]));
  return {
    entered: after.filter((item) => !old.has(item.item_id)),
    left: before.filter((item) => !now.has(item.item_id)),
    moved: after
      .filter((item) => old.has(item.item_id) && old.get(item.item_id).rank !== item.rank)
      .map((item) => ({ ...item, from: old.get(item.item_id).rank, to: item.rank })),
  };
}
