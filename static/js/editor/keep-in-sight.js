/**
 * The panel, the results and a smaller window take room from the canvas; on a phone the panel lies over it. What was
 * seen whole stays whole, the node that the panel is about stays in sight, and nothing moves under a hand: not while the
 * pointer is down, and not between the two clicks of a double-click.
 */
import { useEffect } from "react";
import { isWhole, mayShowAnew, showFlow } from "./canvas-view.js";
import { isSame } from "./equality.js";
import { indexed } from "./flow-index.js";
import { CARD } from "./places.js";
import { hasRoom, shownFlow } from "./state.js";
import { useEditor, watch } from "./store.js";

const MARGIN = 24;
const RUN_BAR = 60; // what it covers at the bottom of the canvas
const DOUBLE_CLICK_MS = 300;

/** @param {{current: boolean}} fitted shows the view the flow as it was fitted, untouched since? */
export function useKeepInSight(screen, fitted) {
  const { store } = useEditor();
  useEffect(() => {
    const pane = document.querySelector(".react-flow");
    const hand = watchHand();
    let size = sizeOf(pane);
    let known = idsOf(store.get());
    let change = null; // the size before, and whether all was seen then

    const observer = new ResizeObserver(() => {
      const now = sizeOf(pane);
      if (now.width === size.width && now.height === size.height) return;
      change ??= { from: size, whole: isWhole(screen, size) };
      size = now;
      soon();
    });

    function soon() {
      pane.dataset.settling = "";
      hand.whenStill(settle);
    }

    async function settle() {
      const node = nodeOfPanel(store.get());
      const moving = [change && makeUpFor(change, node), node && panFromUnderSheet(screen, node, pane)];
      change = null;
      known = idsOf(store.get());
      await Promise.all(moving);
      await new Promise(requestAnimationFrame); // until it is drawn
      if (!change) delete pane.dataset.settling;
    }

    function makeUpFor({ from, whole }, node) {
      const state = store.get();
      const isNew = node !== null && !known.has(node.id); // it was just put where it is: all stays where it is
      const shrank = size.width < from.width || size.height < from.height;
      if (!shrank) return fitted.current && !isPanelWaiting(state) ? showFlow(screen, { smoothly: true }) : null;
      const keepsWhole = (fitted.current || whole) && !isNew && mayShowAnew(screen);
      if (!keepsWhole) return node && panTo(screen, node, pane);
      if (isWhole(screen, { ...size, height: size.height - RUN_BAR })) return null;
      fitted.current = true;
      return showFlow(screen, { smoothly: true, unasked: true });
    }

    observer.observe(pane);
    const edits = edited(store, () => (fitted.current = false));
    const panels = watch(store, (state) => nodeOfPanel(state)?.id ?? null, (nodeId) => nodeId && !hasRoom() && soon());
    return () => {
      observer.disconnect();
      hand.forget();
      edits();
      panels();
    };
  }, [screen]);
}

/** Calls `react` when something stands elsewhere, came or went: settings and names change nothing about the view. */
function edited(store, react) {
  let last = shownFlow(store.get());
  return watch(store, shownFlow, (flow) => {
    const before = new Map([...last.nodes, ...last.notes].map((part) => [part.id, part.position]));
    const after = [...flow.nodes, ...flow.notes];
    last = flow;
    if (after.length !== before.size || after.some((part) => !isSame(part.position, before.get(part.id)))) react();
  });
}

/** Calls back at once, or as soon as the pointer is up and no second click is to be expected. */
function watchHand() {
  let isDown = false;
  let downAt = -Infinity;
  let waiting = null;
  let timer = null;
  const down = () => {
    isDown = true;
    downAt = performance.now();
  };
  const up = () => {
    isDown = false;
    look();
  };
  const events = { pointerdown: down, pointerup: up, pointercancel: up };
  for (const [name, listener] of Object.entries(events)) document.addEventListener(name, listener, true);

  function look() {
    clearTimeout(timer);
    if (!waiting || isDown) return;
    const rest = downAt + DOUBLE_CLICK_MS - performance.now();
    if (rest > 0) return void (timer = setTimeout(look, rest));
    const act = waiting;
    waiting = null;
    act();
  }

  return {
    whenStill(act) {
      waiting = act;
      look();
    },
    forget() {
      clearTimeout(timer);
      for (const [name, listener] of Object.entries(events)) document.removeEventListener(name, listener, true);
    },
  };
}

function sizeOf({ clientWidth: width, clientHeight: height }) {
  return { width, height };
}

function idsOf(state) {
  return new Set(shownFlow(state).nodes.map((node) => node.id));
}

function nodeOfPanel(state) {
  const [only, ...others] = state.selection.nodes;
  return (state.panelOpen && only && others.length === 0 && indexed(shownFlow(state)).node(only)) || null;
}

/** A panel without a node is out of sight until the next one is selected: no reason to come closer for a moment. */
function isPanelWaiting(state) {
  return state.panelOpen && nodeOfPanel(state) === null;
}

/** On a phone the panel is a sheet over the lower part of the canvas. */
function panFromUnderSheet(screen, node, pane) {
  const sheet = document.querySelector(".inspector");
  if (hasRoom() || !sheet) return null;
  const { x, y, zoom } = screen.getViewport();
  const top = node.position.y * zoom + y;
  const room = sheet.getBoundingClientRect().top - pane.getBoundingClientRect().top - CARD.height * zoom - MARGIN;
  const wanted = Math.max(MARGIN, Math.min(top, room));
  return wanted === top ? null : screen.setViewport({ x, y: y + wanted - top, zoom });
}

function panTo(screen, node, pane) {
  const { x, y, zoom } = screen.getViewport();
  const left = node.position.x * zoom + x;
  const room = pane.clientWidth - CARD.width * zoom - MARGIN; // the farthest to the right that a card may begin
  const wanted = Math.max(MARGIN, Math.min(left, room));
  return wanted === left ? null : screen.setViewport({ x: x + wanted - left, y, zoom });
}
