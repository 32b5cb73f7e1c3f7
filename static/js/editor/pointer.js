/** What lies under the pointer: a node, an edge, or the empty canvas. */

export function pointOf(event) {
  const touch = event.changedTouches?.[0] ?? event;
  return { x: touch.clientX, y: touch.clientY };
}

export function nodeUnder({ x, y }) {
  return document.elementFromPoint(x, y)?.closest(".react-flow__node")?.dataset.id ?? null;
}

export function edgeUnder({ x, y }) {
  const found = document.elementsFromPoint(x, y).map((element) => element.closest(".react-flow__edge")).find(Boolean);
  return found?.dataset.id ?? null;
}

/** Light up the edge at a place on the screen, and no other; null lights none. */
export function markEdgeUnder(at) {
  const id = at && edgeUnder(at);
  for (const edge of document.querySelectorAll(".react-flow__edge.is-target")) if (edge.dataset.id !== id) edge.classList.remove("is-target");
  if (id) document.querySelector(`.react-flow__edge[data-id="${CSS.escape(id)}"]`)?.classList.add("is-target");
}

export function isPane({ x, y }) {
  const element = document.elementFromPoint(x, y);
  return Boolean(element?.classList.contains("react-flow__pane") || element?.classList.contains("react-flow__background"));
}
