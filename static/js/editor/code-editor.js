/** CodeMirror as a form field: expressions, Jinja templates, scripts. Tab leaves it, Escape closes its popups first. */
import {
  Annotation, autocompletion, bracketMatching, closeBrackets, closeBracketsKeymap, closeCompletion, completionKeymap, completionStatus, defaultKeymap,
  drawSelection, EditorState, EditorView, HighlightStyle, history, historyKeymap, javascript, jinja, keymap, StreamLanguage, syntaxHighlighting, tags,
} from "codemirror";

/** Marks a change that came from outside, so that it is not told back. */
const fromOutside = Annotation.define();

/** @returns {EditorView} destroy() it when the field goes */
export function openEditor(parent, { text, widget, scope, editable, label, hints, onChange }) {
  const nonce = document.querySelector("script[nonce]")?.nonce;
  return new EditorView({
    parent,
    state: EditorState.create({
      doc: text,
      extensions: [
        nonce ? EditorView.cspNonce.of(nonce) : [],
        history(), drawSelection(), bracketMatching(), closeBrackets(), EditorView.lineWrapping,
        language(widget), syntaxHighlighting(colors), autocompletion({ override: [completions(scope)], icons: false }),
        keymap.of([{ key: "Escape", run: closePopup }, ...closeBracketsKeymap, ...completionKeymap, ...historyKeymap, ...defaultKeymap]),
        EditorView.domEventHandlers({ keydown: (event) => keepInside(event) }),
        EditorView.contentAttributes.of(attributes(label, hints)),
        EditorState.readOnly.of(!editable),
        EditorView.updateListener.of((update) => {
          const typed = update.docChanged && !update.transactions.some((transaction) => transaction.annotation(fromOutside));
          if (typed) onChange(update.state.doc.toString());
        }),
      ],
    }),
  });
}

/** Show another text, when it is not what is there already. */
export function showText(view, text) {
  const shown = view.state.doc.toString();
  if (shown === text) return;
  view.dispatch({ changes: { from: 0, to: shown.length, insert: text }, annotations: fromOutside.of(true) });
}

/** Tell assistive technology whether the text is right. */
export function showValidity(view, hints) {
  view.contentDOM.setAttribute("aria-invalid", String(hints["aria-invalid"]));
}

function attributes(label, { id, "aria-describedby": describedBy, "aria-invalid": invalid }) {
  return { id, "aria-label": label, "aria-describedby": describedBy, "aria-invalid": String(invalid), spellcheck: "false" };
}

function closePopup(view) {
  return completionStatus(view.state) !== null && closeCompletion(view);
}

/** Keys that mean something to the code editor mean nothing to the canvas; Escape goes on to the panel. */
function keepInside(event) {
  if (event.key !== "Escape" && !event.ctrlKey && !event.metaKey) event.stopPropagation();
  return false;
}

function language(widget) {
  return { template: jinja, script: javascript }[widget]?.() ?? expressions;
}

/** Enough of the expression language to color it; whether it is right is the server's to say. */
const expressions = StreamLanguage.define({
  token(stream) {
    if (stream.eatSpace()) return null;
    if (stream.match(/^"(?:[^"\\]|\\.)*"?|^'(?:[^'\\]|\\.)*'?|^`[^`]*`?/)) return "string";
    if (stream.match(/^\d+(\.\d+)?/)) return "number";
    if (stream.match(/^(true|false|nil|null|and|or|not|in|matches|contains)\b/)) return "keyword";
    if (stream.match(/^[A-Za-z_]\w*(?=\s*\()/)) return "function";
    if (stream.match(/^\.?[A-Za-z_]\w*/)) return "variableName";
    stream.next();
    return "operator";
  },
  tokenTable: { function: tags.function(tags.variableName) },
});

const colors = HighlightStyle.define([
  { tag: tags.keyword, class: "code-keyword" },
  { tag: tags.string, class: "code-string" },
  { tag: [tags.number, tags.bool, tags.null], class: "code-number" },
  { tag: tags.function(tags.variableName), class: "code-function" },
  { tag: [tags.comment, tags.lineComment, tags.blockComment], class: "code-comment" },
  { tag: [tags.brace, tags.processingInstruction, tags.meta], class: "code-brace" },
]);

const FIELDS = {
  item: ["ItemId", "IsHidden", "Categories", "Timestamp", "Labels", "Comment"],
  user: ["UserId", "Labels", "Comment"],
};
const FUNCTIONS = ["len", "count", "filter", "map", "any", "all", "sum", "mean", "min", "max", "now", "abs", "log", "sqrt"];

/** What may stand here: after `item.` its fields, elsewhere the names in scope and the functions. */
function completions(scope) {
  const names = { score: ["item", "feedback"], item: ["item"], user: ["user"] }[scope] ?? ["item"];
  return (context) => {
    const member = context.matchBefore(/\b(item|user)\.\w*/);
    if (member) {
      const [owner] = member.text.split(".");
      return { from: member.from + owner.length + 1, options: FIELDS[owner].map((label) => ({ label, type: "property" })) };
    }
    const word = context.matchBefore(/\w+/);
    if (!word && !context.explicit) return null;
    return {
      from: word?.from ?? context.pos,
      options: [...names.map((label) => ({ label, type: "variable" })), ...FUNCTIONS.map((label) => ({ label, type: "function", apply: `${label}(` }))],
    };
  };
}
