/** A sticky note on the canvas: words for people, no part of any run. */
import { memo } from "react";
import { html } from "../lib/html.js";
import { useEditor, useEditorState } from "./store.js";
import { mayEdit } from "./state.js";

export const NoteCard = memo(function NoteCard({ id, data }) {
  const editor = useEditor();
  const editable = useEditorState(mayEdit);
  const write = (event) => editor.perform("changeNote", { noteId: id, values: { text: event.target.value } }, { key: `${id}:text`, quiet: true });
  /** Out of the text, to the note itself: there the keys move or delete it. */
  const onKeyDown = (event) => {
    if (event.key !== "Escape" || event.nativeEvent.isComposing) return;
    event.preventDefault();
    event.stopPropagation();
    editor.canvas.focus(id);
  };
  return html`<div className="note" onKeyDown=${onKeyDown}>
    <textarea className="note-text nodrag nowheel" aria-label="Text of the note" placeholder="Write a note" value=${data.part.text} readOnly=${!editable} onChange=${write} />
  </div>`;
});
