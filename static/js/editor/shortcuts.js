/** Every key of the editor in one table: what listens, what the sheet shows, what the command palette offers. */

const IS_MAC = /Mac|iPhone|iPad/.test(globalThis.navigator?.platform ?? "");

/**
 * @typedef {{keys: string[], label: string, group: string, act?: Function, everywhere?: boolean, shown: string}} Shortcut
 *   keys: as `keyOf` writes an event; everywhere: also while typing in a field
 */

/** @returns {Shortcut[]} */
export function shortcutsFor(editor) {
  const { store } = editor;
  const table = [
    ["Edit", "Undo", ["mod+z"], () => editor.undoLast()],
    ["Edit", "Redo", ["mod+shift+z", "mod+y"], () => editor.redoLast()],
    ["Edit", "Duplicate", ["mod+d"], () => focusOn(editor, () => editor.duplicateSelected())],
    ["Edit", "Delete", ["delete", "backspace"], oncePerPress(() => editor.deleteSelected())],
    ["Edit", "Delete and reconnect the neighbors", ["mod+delete", "mod+backspace"], oncePerPress(() => editor.bridgeSelected())],
    ["Edit", "Switch the node off or on", ["d"], () => editor.toggleDisabledSelected()],
    ["Edit", "Pin the output of the node", ["p"], () => editor.togglePin()],
    ["Edit", "Rename", ["f2"], () => editor.openRename()],
    ["Edit", "Tidy up", ["shift+alt+t"], () => editor.tidyUp()],
    ["Edit", "Add a sticky note", ["shift+s"], () => editor.addNoteHere()],
    ["Build", "Add a node", ["n"], () => editor.openAddMenu()],
    ["Build", "Connect the node", ["c"], () => editor.startConnecting()],
    ["Build", "Move the node with the arrows", ["m"], () => editor.startMoving()],
    ["Build", "Commands and nodes", ["mod+k"], () => editor.openCommandPalette()],
    ["Select", "Select all", ["mod+a"], () => editor.selectAll()],
    ["Select", "Select all upstream", ["shift+arrowleft"], () => editor.selectAlong("upstream")],
    ["Select", "Select all downstream", ["shift+arrowright"], () => editor.selectAlong("downstream")],
    ["Select", "Walk along edges", ["arrowleft", "arrowright"], (event) => editor.walk(event.key)],
    ["Select", "Walk between siblings", ["arrowup", "arrowdown"], (event) => editor.walk(event.key)],
    ["Select", "Open the settings", ["enter"], () => editor.openSettings()],
    ["Run", "Run the preview", ["mod+enter"], () => editor.run(), true],
    ["Run", "Stop the run", ["mod+alt+enter"], () => editor.cancel(), true],
    ["Run", "Save the draft now", ["mod+s"], () => editor.saveNow(), true],
    ["View", "Fit the flow into the view", ["1"], () => editor.canvas.fit()],
    ["View", "Zoom to 100 %", ["0"], () => editor.canvas.resetZoom()],
    ["View", "Zoom in", ["+", "="], () => editor.canvas.zoomIn()],
    ["View", "Zoom out", ["-"], () => editor.canvas.zoomOut()],
    ["View", "Keyboard shortcuts", ["?"], () => store.set({ dialog: { kind: "shortcuts" } })],
  ];
  return table.map(([group, label, keys, act, everywhere = false]) => ({ group, label, keys, act, everywhere, shown: shownKeys(keys[0]) }));
}

/** Copy, cut and paste come as events of the browser, not as keys; the sheet names them too. */
export const CLIPBOARD_KEYS = [
  { group: "Edit", label: "Copy, cut, paste as JSON text", shown: `${shownKeys("mod+c")}  ${shownKeys("mod+x")}  ${shownKeys("mod+v")}` },
];

/** Listen to the whole page. @returns {Function} stop listening */
export function listenToKeys(editor) {
  const shortcuts = new Map(shortcutsFor(editor).flatMap((shortcut) => shortcut.keys.map((key) => [key, shortcut])));
  const onKeyDown = (event) => {
    if (event.defaultPrevented || editor.store.get().dialog) return keepFromBrowser(event);
    const typing = isTyping(event.target);
    if (!typing && editor.keyInMode(event)) return;
    if (event.key === "Escape" && !typing) return editor.store.set({ connecting: null, refusal: null, traced: null, compared: null });
    const shortcut = shortcuts.get(keyOf(event));
    if (!shortcut || (typing && !shortcut.everywhere) || (isControl(event.target) && ["enter", " "].includes(keyOf(event)))) return;
    if (/arrow/.test(keyOf(event)) && event.target !== document.body && !event.target.closest(".canvas")) return;
    event.preventDefault();
    actOnFocused(editor, event.target);
    shortcut.act(event);
  };
  const clipboard = (kind) => (event) => {
    if (isTyping(event.target) || editor.store.get().dialog || (kind !== "paste" && String(getSelection()) !== "")) return;
    if (kind === "paste") return focusOn(editor, () => editor.pasteText(event.clipboardData.getData("text/plain")));
    const text = kind === "cut" ? editor.cutSelected() : editor.copySelected();
    if (!text) return;
    event.preventDefault();
    event.clipboardData.setData("text/plain", text);
  };
  const handlers = { keydown: onKeyDown, copy: clipboard("copy"), cut: clipboard("cut"), paste: clipboard("paste") };
  for (const [name, handler] of Object.entries(handlers)) document.addEventListener(name, handler);
  return () => {
    for (const [name, handler] of Object.entries(handlers)) document.removeEventListener(name, handler);
  };
}

/** "mod+shift+z" for Ctrl+Shift+Z (Cmd on a Mac). */
export function keyOf(event) {
  const key = event.key.toLowerCase();
  const letter = event.altKey && /^Key[A-Z]$/.test(event.code) ? event.code.slice(3).toLowerCase() : key;
  const isSign = letter.length === 1 && !/[a-z]/.test(letter);
  const held = [(event.ctrlKey || event.metaKey) && "mod", event.shiftKey && !isSign && "shift", event.altKey && "alt"].filter(Boolean);
  const order = ["mod", "shift", "alt"].filter((name) => held.includes(name));
  return [...order, letter].join("+");
}

/** Keys act on the node or note that has the focus, selected or not. */
function actOnFocused({ store, select }, target) {
  if (!(target instanceof Element)) return;
  const kind = target.classList.contains("react-flow__node-card") ? "nodes" : target.classList.contains("react-flow__node-note") ? "notes" : null;
  if (kind && !store.get().selection[kind].includes(target.dataset.id)) select({ [kind]: [target.dataset.id] });
}

/** The focus goes on to the next node after each deletion: a key that is held down would delete them all. */
function oncePerPress(act) {
  return (event) => event?.repeat || act();
}

/** What an edit selects has the focus after it: the next key would else act on the node that had it before. */
function focusOn(editor, edit) {
  edit();
  document.activeElement?.blur();
  editor.focusSelected();
}

/** Does typing here mean text? */
function isTyping(target) {
  if (!(target instanceof Element)) return false;
  return Boolean(target.closest("textarea, select, [contenteditable=true], .cm-editor, input:not([type=checkbox], [type=radio], [type=button])"));
}

function isControl(target) {
  return target instanceof Element && Boolean(target.closest("button, a, summary, [role=button], [role=tab], [role=separator]"));
}

/** The browser's own save dialog never opens, not even over one of ours. */
function keepFromBrowser(event) {
  if (keyOf(event) === "mod+s") event.preventDefault();
}

function shownKeys(key) {
  const names = { mod: IS_MAC ? "⌘" : "Ctrl", shift: IS_MAC ? "⇧" : "Shift", alt: IS_MAC ? "⌥" : "Alt", arrowleft: "←  →", arrowup: "↑  ↓", delete: "Delete", enter: "Enter", f2: "F2" };
  if (key === "shift+arrowleft") return `${names.shift}+←`;
  if (key === "shift+arrowright") return `${names.shift}+→`;
  return key.split("+").map((part) => names[part] ?? part.toUpperCase()).join("+") || "+";
}
