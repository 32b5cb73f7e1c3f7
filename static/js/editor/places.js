/** Where things lie on the canvas: the size of a card, free places, and columns for a tidy drawing. Pure. */

export const CARD = { width: 216, height: 76 };
export const NOTE = { width: 200, height: 120 };
export const GRID = 20;
const GAP = 24;

/** The place nearest to `wanted` (an upper left corner) where a card, or what has another size, overlaps no other card or note. */
export function freePlace(flow, wanted, size = CARD) {
  const boxes = [...flow.nodes.map((node) => box(node, CARD)), ...flow.notes.map((note) => box(note, NOTE))];
  for (let ring = 0; ring < 60; ring += 1) {
    for (const [dx, dy] of ringOf(ring)) {
      const place = { x: wanted.x + dx * GRID * 2, y: wanted.y + dy * GRID * 2 };
      if (!boxes.some((other) => overlaps(other, { ...place, ...size }))) return place;
    }
  }
  return wanted;
}

/** Upper left corner of a card whose center is at a point. */
export function centeredAt({ x, y }) {
  return { x: x - CARD.width / 2, y: y - CARD.height / 2 };
}

/**
 * Positions for every node by the layered layout of dagre, left to right.
 *
 * @param {{graphlib: object, layout: Function}} dagre given by the caller, who loads it on first use
 * @returns {Object<string, {x: number, y: number}>}
 */
export function tidyPositions(flow, dagre) {
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({ rankdir: "LR", nodesep: 36, ranksep: 104, marginx: 0, marginy: 0 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const node of flow.nodes) graph.setNode(node.id, { ...CARD });
  for (const edge of flow.edges) graph.setEdge(edge.source, edge.target);
  dagre.layout(graph);
  return Object.fromEntries(flow.nodes.map((node) => [node.id, centeredAt(graph.node(node.id))]));
}

function box(part, size) {
  return { ...part.position, ...size };
}

function overlaps(a, b) {
  return a.x < b.x + b.width + GAP && b.x < a.x + a.width + GAP && a.y < b.y + b.height + GAP && b.y < a.y + a.height + GAP;
}

function ringOf(ring) {
  const steps = [];
  for (let dy = -ring; dy <= ring; dy += 1) {
    for (let dx = -ring; dx <= ring; dx += 1) {
      if (Math.max(Math.abs(dx), Math.abs(dy)) === ring) steps.push([dx, dy]);
    }
  }
  return steps.sort(([ax, ay], [bx, by]) => Math.hypot(ax, ay) - Math.hypot(bx, by) || by - ay || bx - ax);
}
