/** CodeMirror as a form field: expressions, Jinja templates, scripts. Tab leaves it, Escape closes its popups first. */
import {
  Annotation, autocompletion, bracketMatching, closeBrackets, closeBracketsKeymap, closeCompletion, completionKeymap, completionStatus, defaultKeymap,
  drawSelection, EditorState, EditorView, HighlightStyle, history, historyKeymap, javascript, jinja, keymap, setDiagnostics, StreamLanguage, syntaxHighlighting, tags,
} from "codemirror";

/** Marks a change that came from outside, so that it is not told back. */
const fromOutside = Annotation.define();

/** @returns {EditorView} destroy() it when the field goes */
export function openEditor(parent, { text, widget, editable, label, hints, complete, variables, onChange }) {
  const nonce = document.querySelector("script[nonce]")?.nonce;
  return new EditorView({
    parent,
    state: EditorState.create({
      doc: text,
      extensions: [
        nonce ? EditorView.cspNonce.of(nonce) : [],
        history(), drawSelection(), bracketMatching(), closeBrackets(), EditorView.lineWrapping,
        language(widget), syntaxHighlighting(colors), completing(complete, variables),
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

/** Focus it with this selection. */
export function goOn(view, selection) {
  view.dispatch({ selection, scrollIntoView: true });
  view.focus();
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

/** Underline what is wrong where it stands; what has no place is told under the field alone. */
export function showProblems(view, problems) {
  const end = view.state.doc.length;
  const placed = problems.filter((problem) => problem.position !== null).map(({ message, position, length }) => {
    const from = Math.min(position, Math.max(0, end - 1));
    return { from, to: Math.min(end, from + Math.max(1, length)), severity: "error", message };
  });
  view.dispatch(setDiagnostics(view.state, placed));
}

/** Underline what is wrong at a line and, when it is known, a column; both count from 1. */
export function showMarks(view, marks) {
  const { doc } = view.state;
  showProblems(view, marks.map(({ line, column, message }) => {
    const { from, text } = doc.line(Math.min(Math.max(1, line), doc.lines));
    const start = column === null ? text.length - text.trimStart().length : Math.min(column - 1, text.length);
    const word = column === null ? text.trim() : (text.slice(start).match(/^[\w.]+/)?.[0] ?? "");
    return { position: from + start, length: word.length, message };
  }));
}

function attributes(label, { id, "aria-describedby": describedBy, "aria-invalid": invalid }) {
  return { id, "aria-label": label, "aria-describedby": describedBy, "aria-invalid": String(invalid), spellcheck: "false", tabindex: "0" };
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

function completing(complete, variables) {
  const source = complete ? completions(complete) : variables && templateVariables(variables);
  return source ? autocompletion({ override: [source], icons: false }) : [];
}

/** Inside {{ }} or {% %}: the names a template may use, and after a name and a dot its fields. */
function templateVariables(variables) {
  return (context) => {
    const before = context.state.sliceDoc(Math.max(0, context.pos - 500), context.pos);
    if (Math.max(before.lastIndexOf("{{"), before.lastIndexOf("{%")) <= Math.max(before.lastIndexOf("}}"), before.lastIndexOf("%}"))) return null;
    const word = context.matchBefore(/\w*/);
    const owner = before.slice(0, before.length - word.text.length).match(/(\w+)\.$/)?.[1];
    if (!owner && word.text === "" && !context.explicit) return null;
    const names = owner ? (variables[owner] ?? fieldsOfLoop(owner, context, variables)) : Object.keys(variables);
    return { from: word.from, options: names.map((label) => ({ label })), validFor: /^\w*$/ };
  };
}

/** `{% for entry in feedback %}`: an entry has the fields of feedback. */
function fieldsOfLoop(owner, context, variables) {
  const loops = [...context.state.sliceDoc(0, context.pos).matchAll(/\{%-?\s*for\s+(\w+)\s+in\s+(\w+)/g)];
  const list = loops.reverse().find(([, entry]) => entry === owner)?.[2];
  return variables[list] ?? [];
}

/** What may stand here, as the server says: it knows the language, this file does not. */
function completions(complete) {
  return async (context) => {
    const word = context.matchBefore(/[\w$]*/);
    const afterSign = /[.#]$/.test(context.state.sliceDoc(0, word.from));
    if (word.from === word.to && !afterSign && !context.explicit) return null;
    const found = await complete(context.state.doc.toString(), context.pos).catch(() => []);
    return context.aborted ? null : { from: word.from, options: found, validFor: /^[\w$]*$/ };
  };
}
