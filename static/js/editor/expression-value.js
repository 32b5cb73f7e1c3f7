/** Under an expression: what it gives for one item (or the user of the preview), or why it gives nothing. */
import { useEffect, useState } from "react";
import { html } from "../lib/html.js";
import { Combobox } from "./combobox.js";
import { useEditor, useEditorState } from "./store.js";

const PAUSE_MS = 250;

export function ExpressionValue({ field, text, onProblems }) {
  const editor = useEditor();
  const scope = field.ui.scope ?? "score";
  const isUser = scope === "user";
  const exampleItem = useEditorState((state) => state.exampleItem);
  const userId = useEditorState((state) => state.userId);
  const example = isUser ? userId : exampleItem;
  const [answer, setAnswer] = useState(null);
  useEffect(() => {
    let wanted = true;
    const timer = setTimeout(async () => {
      const found = await editor.checkExpression({ scope, expects: field.ui.expects ?? "any" }, text, example).catch(() => null);
      if (!wanted || !found) return;
      onProblems(found.problems);
      setAnswer(found);
    }, PAUSE_MS);
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, [text, example, scope]);
  useEffect(() => {
    if (!isUser && !exampleItem) editor.suggestItems("", 1).then(([item]) => item && editor.setExample(item.item_id), () => {});
  }, []);
  return html`<div className="expression-value" data-testid="expression-value">
    <span>For</span>
    ${isUser
      ? html`<span title="The user of the preview">${userId || "no user chosen"}</span>`
      : html`<${Combobox} id=${`example-${field.name}`} testId="example-item" label="Item to try the expression on" placeholder="an item" value=${exampleItem} onValue=${editor.setExample}
          suggest=${(words) => editor.suggestItems(words)} onEnter=${() => {}} describe=${(item) => ({ value: item.item_id, words: item.title || item.item_id, beside: item.item_id })} />`}
    <output className=${answer?.error ? "is-error" : ""}>${resultWords(answer, text)}</output>
  </div>`;
}

function resultWords(answer, text) {
  if (!answer || text.trim() === "") return "";
  if (answer.problems.length > 0) return "";
  if (answer.error) return answer.error;
  return answer.value === null ? "" : `= ${answer.value}`;
}
