/** What part of the drawing is seen: fitting, zooming, centering, and when it is first all there. */
import { useEffect } from "react";
import { useNodesInitialized } from "@xyflow/react";
import { CARD, centeredAt } from "./places.js";
import { hasRoom, shownFlow } from "./state.js";
import { useEditor, useEditorState } from "./store.js";

/** Room is left for what floats over the canvas: the run bar at the bottom. */
const FIT = { padding: { top: "28px", right: "36px", bottom: "84px", left: "36px" }, maxZoom: 1 };

export const ZOOM = { least: 0.01, most: 2 }; // at the least the largest flow fits, 500 nodes in one column
const STEP = 1.2;

const PHONE = 600; // a canvas narrower than this, in pixels
const LEGIBLE = 0.62; // the zoom below which a phone shows names too small to read
const SMALLEST = 0.35; // the zoom below which cards are mere tiles: what nobody asked for never makes them smaller

/**
 * Shows the whole flow; on a phone, and where less room made the view change, only as far as that can be read, else
 * where the flow begins: the rest is a swipe away.
 *
 * @returns {Promise<boolean>|null} when it is there; null for a flow without nodes
 */
export function showFlow(screen, { smoothly = false, unasked = false } = {}) {
  const duration = smoothly ? gliding() : 0;
  const pane = document.querySelector(".react-flow");
  const nodes = screen.getNodes();
  if (nodes.length === 0) return null;
  const isAnyZoomFine = pane.clientWidth >= PHONE && !unasked;
  if (isAnyZoomFine || isWholeLegible(screen)) return screen.fitView({ ...FIT, duration });
  const first = nodes.reduce((left, node) => (node.position.x < left.position.x ? node : left));
  const middle = (pane.clientHeight - 56) / 2; // between the top and the run bar
  const y = middle - (first.position.y + CARD.height / 2) * LEGIBLE;
  return screen.setViewport({ x: 24 - first.position.x * LEGIBLE, y, zoom: LEGIBLE }, { duration });
}

/** Lies every card inside a canvas of that size, as it is seen now? */
export function isWhole(screen, { width, height }) {
  const { x, y, zoom } = screen.getViewport();
  const all = screen.getNodesBounds(screen.getNodes());
  return all.x * zoom + x >= 0 && all.y * zoom + y >= 0 && (all.x + all.width) * zoom + x <= width && (all.y + all.height) * zoom + y <= height;
}

/** May the view show the flow anew? Where the panel lies over the canvas it may go to where the flow begins. */
export function mayShowAnew(screen) {
  return !hasRoom() || isWholeLegible(screen);
}

/** Would the cards still be told apart if all were shown? */
function isWholeLegible(screen) {
  const pane = document.querySelector(".react-flow");
  const { width, height } = screen.getNodesBounds(screen.getNodes());
  const zoom = Math.min((pane.clientWidth - 72) / width, (pane.clientHeight - 112) / height);
  return zoom >= (pane.clientWidth >= PHONE ? SMALLEST : LEGIBLE);
}

/** How long the view glides to another place, in milliseconds. */
function gliding() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 200;
}

/** What other parts may ask of the canvas. */
export function canvasControls(screen, fitted) {
  const pane = () => document.querySelector(".react-flow").getBoundingClientRect();
  const byHand = (moving) => {
    fitted.current = false;
    return moving;
  };
  let aim = null; // the zoom that the view glides to: steps that come quickly add up
  const glideTo = (zoom) => {
    const mine = (aim = { zoom: Math.min(Math.max(zoom, ZOOM.least), ZOOM.most), until: performance.now() + 2 * gliding() });
    return byHand(screen.zoomTo(mine.zoom, { duration: gliding() }).then(() => aim === mine && (aim = null)));
  };
  const aimed = () => (aim && performance.now() < aim.until ? aim.zoom : screen.getZoom()); // a glide that a hand stops never ends
  return {
    fit() {
      aim = null;
      fitted.current = true;
      return screen.fitView({ ...FIT, duration: gliding() });
    },
    zoomIn: () => glideTo(aimed() * STEP),
    zoomOut: () => glideTo(aimed() / STEP),
    resetZoom: () => glideTo(1),
    centerOn(node) {
      aim = null;
      fitted.current = false;
      const { x, y } = node.position;
      return screen.setCenter(x + CARD.width / 2, y + CARD.height / 2, { zoom: Math.max(screen.getZoom(), 0.8), duration: gliding() });
    },
    focus: (nodeId) => document.querySelector(`.react-flow__node[data-id="${CSS.escape(nodeId)}"]`)?.focus({ preventScroll: true }),
    /** The middle of what is seen, as a place for a new card. */
    middle() {
      const box = pane();
      return centeredAt(screen.screenToFlowPosition({ x: box.left + box.width / 2, y: box.top + box.height / 2 }));
    },
    middleOnScreen() {
      const box = pane();
      return { x: box.left + box.width / 2, y: box.top + box.height / 3 };
    },
    isSeen(node) {
      const box = pane();
      const corner = screen.flowToScreenPosition(node.position);
      const far = screen.flowToScreenPosition({ x: node.position.x + CARD.width, y: node.position.y + CARD.height });
      return corner.x >= box.left && corner.y >= box.top && far.x <= box.right && far.y <= box.bottom;
    },
  };
}

/** Once every card is drawn, show the whole flow and say so on <html>. */
export function useReady(screen) {
  const initialized = useNodesInitialized();
  const { store } = useEditor();
  const isEmpty = useEditorState((state) => shownFlow(state).nodes.length === 0);
  useEffect(() => {
    if (document.documentElement.dataset.ready || !(initialized || isEmpty)) return;
    Promise.resolve(showFlow(screen)).then(() => {
      if (document.documentElement.dataset.ready) return;
      document.documentElement.dataset.ready = "1";
      performance.mark("editor-ready");
    });
  }, [initialized, isEmpty]);
}
