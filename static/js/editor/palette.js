/** The node types to choose from: searchable buttons to click, press or drag; what may not be added says why. */
import { useEffect, useState } from "react";
import { html } from "../lib/html.js";
import { Icon, TypeIcon } from "../lib/icons.js";
import { DRAGGED_TYPE } from "./canvas.js";
import { additionRefusal } from "./connecting.js";
import { byFamily, familyIndex, matches } from "./node-types.js";
import { hasRoom, mayEdit, roomQuery, shownFlow } from "./state.js";
import { useEditor, useEditorState } from "./store.js";
import { sentenceCase } from "./wording.js";

export function Palette() {
  const editor = useEditor();
  const { store, types } = editor;
  const open = useEditorState((state) => state.paletteOpen);
  const [query, setQuery] = useState("");
  const families = byFamily(types, types.list.filter((type) => matches(type, query)));
  useEffect(() => followRoom(store), []);
  const toggle = () => store.set((state) => ({ paletteOpen: !state.paletteOpen }));
  if (!open) {
    return html`<aside className="palette is-closed" aria-label="Node types">
      <button type="button" className="icon-button" aria-label="Show the node types" title="Show the node types" aria-expanded="false" onClick=${toggle}><${Icon} name="panel" /></button>
    </aside>`;
  }
  return html`<aside className="palette" aria-label="Node types">
    <div className="palette-head">
      <label className="search-field">
        <${Icon} name="search" size=${14} />
        <input type="search" placeholder="Search nodes" aria-label="Search node types" value=${query} onChange=${(event) => setQuery(event.target.value)} />
      </label>
      <button type="button" className="icon-button" aria-label="Hide the node types" title="Hide the node types" aria-expanded="true" onClick=${toggle}><${Icon} name="chevronLeft" /></button>
    </div>
    <div className="palette-list">
      ${families.map((family) => html`<section key=${family.id} aria-label=${family.label}>
        <h2 className="group-title">${family.label}</h2>
        ${family.types.map((type) => html`<${Entry} key=${type.type} type=${type} />`)}
      </section>`)}
      ${families.length === 0 && html`<p className="empty-hint">No node is called “${query}”.</p>`}
    </div>
  </aside>`;
}

/** In a window that became narrow it would lie over the canvas: it closes, and is back with the room. */
function followRoom(store) {
  const room = roomQuery();
  let wasOpen = false;
  const change = () => {
    const { paletteOpen } = store.get();
    store.set({ paletteOpen: room.matches && (paletteOpen || wasOpen) });
    wasOpen = paletteOpen;
  };
  room.addEventListener("change", change);
  return () => room.removeEventListener("change", change);
}

function Entry({ type }) {
  const editor = useEditor();
  const { types } = editor;
  const editable = useEditorState(mayEdit);
  const taken = useEditorState((state) => additionRefusal(shownFlow(state), type, types));
  const reason = editable ? taken : "This drawing is read-only.";
  const add = () => {
    if (reason) return editor.refuse(reason);
    if (!hasRoom()) editor.store.set({ paletteOpen: false });
    return editor.addNodeHere(type);
  };
  const drag = (event) => {
    if (reason) {
      event.preventDefault();
      return editor.refuse(reason);
    }
    event.dataTransfer.setData(DRAGGED_TYPE, type.type);
    event.dataTransfer.effectAllowed = "copy";
  };
  return html`<button type="button" className=${`palette-entry family-${familyIndex(types, type)}`} data-testid=${`palette-${type.type}`}
      draggable=${!reason} aria-disabled=${reason ? "true" : "false"} title=${reason ?? type.summary} onClick=${add} onDragStart=${drag}>
    <span className="card-icon"><${TypeIcon} type=${type} size=${16} /></span>
    <span className="palette-words">
      <span className="palette-name">${type.label}</span>
      <span className="palette-hint">${(editable && taken) || sentenceCase(type.summary)}</span>
    </span>
  </button>`;
}
