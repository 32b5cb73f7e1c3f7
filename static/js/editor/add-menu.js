/** A list to choose one entry of by typing: node types to add, nodes to go to, commands to give. */
import { useEffect, useRef, useState } from "react";
import { html } from "../lib/html.js";
import { Icon, TypeIcon } from "../lib/icons.js";
import { additionRefusal } from "./connecting.js";
import { familyIndex, inputFor, nameOf, search } from "./node-types.js";
import { shortcutsFor } from "./shortcuts.js";
import { useEditor, useEditorState } from "./store.js";
import { sentenceCase } from "./wording.js";

/** The menu that N, a double-click or an edge dropped on empty canvas opens: only what fits. */
export function AddMenu({ dialog }) {
  const editor = useEditor();
  const { store, types } = editor;
  const { from } = dialog;
  const flow = store.get().flow;
  const begun = from && types.get(flow.nodes.find((node) => node.id === from.nodeId)?.type);
  const fits = (type) => !from || (from.side === "source" ? inputFor(begun, type) : inputFor(type, begun)) !== null;
  const entries = types.list.filter((type) => fits(type) && additionRefusal(flow, type, types) === null);
  const add = (type) => {
    store.set({ dialog: null });
    editor.addNodeHere(type, dialog);
  };
  return html`<${Chooser} label="Add a node" placeholder="Add a node…" at=${dialog.at}
    find=${(query) => search(entries, query).map((type) => ({
      key: type.type, testId: `add-${type.type}`, words: type.label, beside: sentenceCase(type.summary), act: () => add(type),
      icon: html`<span className=${`card-icon family-${familyIndex(types, type)}`}><${TypeIcon} type=${type} size=${14} /></span>`,
    }))} none=${from ? "Nothing that fits is called so." : "No node is called so."} />`;
}

/** Ctrl+K: every command, and every node by name. */
export function CommandPalette() {
  const editor = useEditor();
  const { store, types } = editor;
  const flow = useEditorState((state) => state.flow);
  const found = (query) => {
    const wanted = query.toLowerCase();
    const nodes = flow.nodes.filter((node) => nameOf(node, types).toLowerCase().includes(wanted)).slice(0, 30).map((node) => ({
      key: node.id, words: nameOf(node, types), beside: "Go to node", act: () => { store.set({ dialog: null }); editor.goToNode(node.id); },
      icon: html`<span className=${`card-icon family-${familyIndex(types, types.get(node.type))}`}><${TypeIcon} type=${types.get(node.type)} size=${14} /></span>`,
    }));
    const commands = shortcutsFor(editor).filter((shortcut) => shortcut.act && shortcut.label.toLowerCase().includes(wanted)).map((shortcut) => ({
      key: shortcut.label, words: shortcut.label, beside: shortcut.shown, act: () => { store.set({ dialog: null }); shortcut.act(); },
      icon: html`<span className="card-icon"><${Icon} name="command" size=${14} /></span>`,
    }));
    return wanted ? [...nodes, ...commands] : [...commands, ...nodes];
  };
  return html`<${Chooser} label="Commands and nodes" placeholder="Go to a node or give a command…" find=${found} none="No node and no command is called so." />`;
}

function Chooser({ label, placeholder, find, at, none }) {
  const { store, canvas } = useEditor();
  const [query, setQuery] = useState("");
  const [active, setActive] = useState(0);
  const list = useRef(null);
  const entries = find(query);
  const chosen = Math.min(active, entries.length - 1);
  useEffect(() => {
    list.current?.children[chosen]?.scrollIntoView({ block: "nearest" });
  }, [chosen]);
  const close = () => {
    const [nodeId] = store.get().selection.nodes;
    store.set({ dialog: null });
    if (nodeId) canvas.focus(nodeId);
  };
  const onKeyDown = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      setActive((chosen + step + entries.length) % Math.max(entries.length, 1));
    } else if (event.key === "Enter") {
      event.preventDefault();
      entries[chosen]?.act();
    } else if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      close();
    } else if (event.key === "Tab") event.preventDefault();
  };
  return html`<div className="chooser-layer" onPointerDown=${(event) => event.target === event.currentTarget && close()}>
    <div className="chooser" role="dialog" aria-modal="true" aria-label=${label} data-testid="chooser" style=${at ? placed(at) : undefined} onKeyDown=${onKeyDown}>
      <label className="search-field"><${Icon} name="search" size=${14} />
        <input type="text" autoFocus role="combobox" aria-expanded="true" aria-controls="chooser-list" aria-label=${label} aria-activedescendant=${entries[chosen] ? `choice-${chosen}` : undefined}
          placeholder=${placeholder} value=${query} onChange=${(event) => { setQuery(event.target.value); setActive(0); }} /></label>
      <ul className="chooser-list" id="chooser-list" role="listbox" aria-label=${label} ref=${list}>
        ${entries.map((entry, index) => html`<li key=${entry.key} id=${`choice-${index}`} role="option" aria-selected=${index === chosen} data-testid=${entry.testId}
            onPointerMove=${() => index !== chosen && setActive(index)} onClick=${entry.act}>
          ${entry.icon}<span className="choice-words" title=${entry.words}>${entry.words}</span><span className="choice-beside">${entry.beside}</span></li>`)}
      </ul>
      ${entries.length === 0 && html`<p className="empty-hint">${none}</p>`}
    </div>
  </div>`;
}

/** At the pointer, but inside the window. */
function placed({ x, y }) {
  return { position: "fixed", left: `${Math.max(8, Math.min(x, innerWidth - 408))}px`, top: `${Math.max(8, Math.min(y, innerHeight - 360))}px`, margin: 0 };
}
