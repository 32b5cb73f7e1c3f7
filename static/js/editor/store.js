/** The editor's state, outside React: one object, replaced and never changed, and who wants to hear of it. */
import { createContext, useContext, useSyncExternalStore } from "react";

/** @returns {{get: () => object, set: (change: object|Function) => void, subscribe: (listener: Function) => Function}} */
export function createStore(initial) {
  let state = initial;
  const listeners = new Set();
  return {
    get: () => state,
    set(change) {
      const values = typeof change === "function" ? change(state) : change;
      if (!values || Object.keys(values).every((key) => Object.is(values[key], state[key]))) return;
      state = { ...state, ...values };
      for (const listener of [...listeners]) listener();
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** Calls `react` with the state whenever what `select` picks from it is another value. */
export function watch(store, select, react) {
  let last = select(store.get());
  return store.subscribe(() => {
    const next = select(store.get());
    if (Object.is(next, last)) return;
    last = next;
    react(next);
  });
}

/** Holds the editor (store, types and actions) for every component below. */
export const EditorContext = createContext(null);

export const useEditor = () => useContext(EditorContext);

/** What `select` picks from the state. It must give the same object for the same state, never a new one. */
export function useEditorState(select) {
  const { store } = useEditor();
  return useSyncExternalStore(store.subscribe, () => select(store.get()));
}
