/** The panel takes room from the canvas: the node it is about moves out from under it, no further than it has to. */
import { useEffect } from "react";
import { indexed } from "./flow-index.js";
import { CARD } from "./places.js";
import { shownFlow } from "./state.js";
import { useEditor } from "./store.js";

const MARGIN = 24;

export function useKeepInSight(screen) {
  const { store } = useEditor();
  useEffect(() => {
    const pane = document.querySelector(".react-flow");
    let before = pane.clientWidth;
    const observer = new ResizeObserver(() => {
      const shrank = pane.clientWidth < before;
      before = pane.clientWidth;
      const node = shrank ? nodeOfPanel(store.get()) : null;
      if (node) panTo(screen, node, pane);
    });
    observer.observe(pane);
    return () => observer.disconnect();
  }, [screen]);
}

function nodeOfPanel(state) {
  const [only, ...others] = state.selection.nodes;
  return state.panelOpen && only && others.length === 0 ? indexed(shownFlow(state)).node(only) : null;
}

function panTo(screen, node, pane) {
  const { x, y, zoom } = screen.getViewport();
  const left = node.position.x * zoom + x;
  const room = pane.clientWidth - CARD.width * zoom - MARGIN; // the farthest to the right that a card may begin
  const wanted = Math.max(MARGIN, Math.min(left, room));
  if (wanted !== left) screen.setViewport({ x: x + wanted - left, y, zoom });
}
