/** Two orders of the same candidates for the same user, as two prompts or models gave them. Pure. */

const TOP = 10;

/**
 * @param {{item_id: string, title: string, rank: number}[]} before best first
 * @param {{item_id: string, title: string, rank: number}[]} after best first
 * @returns {{rows: {item_id: string, title: string, rank: number, was: number}[], top: number, shared: number, meanShift: number}|null}
 *   the rows of `after` with the place each had; how many of its best `top` are among the best of `before`; places moved on
 *   average. null when they are not about the same items
 */
export function layBeside(before, after) {
  const was = new Map(before.map((item) => [item.item_id, item.rank]));
  if (was.size !== after.length || after.length === 0 || after.some((item) => !was.has(item.item_id))) return null;
  const rows = after.map(({ item_id: id, title, rank }) => ({ item_id: id, title, rank, was: was.get(id) }));
  const top = Math.min(TOP, rows.length);
  const shared = rows.filter((row) => row.rank <= top && row.was <= top).length;
  const moved = rows.reduce((sum, row) => sum + Math.abs(row.rank - row.was), 0);
  return { rows, top, shared, meanShift: moved / rows.length };
}
