/** Hooks of the preview panels: what is shown while somebody types, and what is asked at the press of a button. */
import { useEffect, useMemo, useRef, useState } from "react";
import { isSame } from "./equality.js";
import { questionOf } from "./preview-question.js";
import { effectiveSettings } from "./settings-schema.js";
import { shownFlow } from "./state.js";
import { useEditor, useEditorState } from "./store.js";

const PAUSE_MS = 400;

/** The question of a node's panel; the same object as long as it asks the same. */
export function useQuestion(node, type) {
  const { types } = useEditor();
  const flow = useEditorState(shownFlow);
  const run = useEditorState((state) => state.run);
  const userId = useEditorState((state) => state.userId);
  const whatIf = useEditorState((state) => state.whatIf);
  const last = useRef(null);
  return useMemo(() => {
    const question = questionOf(node, effectiveSettings(type, node.settings), { flow, run, userId, whatIf }, types);
    if (!isSame(last.current, question)) last.current = question;
    return last.current;
  }, [node.settings, flow, run, userId, whatIf]);
}

/** What money is counted in, as Settings have it; "" until that is known. */
export function useCurrency() {
  const editor = useEditor();
  const [currency, setCurrency] = useState("");
  useEffect(() => {
    let wanted = true;
    editor.listEndpoints().then((found) => wanted && setCurrency(found[0]?.currency ?? ""), () => {});
    return () => void (wanted = false);
  }, []);
  return currency;
}

/** @returns {{answer: object|null, problem: string, waiting: boolean, again: () => void}} the newest answer, asked for after a pause in the typing */
export function useShown(ask, question) {
  const [shown, setShown] = useState({ answer: null, problem: "", waiting: true });
  const [turn, setTurn] = useState(0);
  const asked = useRef(0); // the turn that was asked for at once
  useEffect(() => {
    const leaving = new AbortController();
    setShown((before) => ({ ...before, waiting: true }));
    const timer = setTimeout(() => {
      ask(question, leaving.signal).then(
        (answer) => setShown({ answer, problem: "", waiting: false }),
        (error) => error.name !== "AbortError" && setShown((before) => ({ ...before, problem: error.message, waiting: false })),
      );
    }, turn === asked.current ? PAUSE_MS : 0);
    asked.current = turn;
    return () => {
      clearTimeout(timer);
      leaving.abort();
    };
  }, [question, turn]);
  return { ...shown, again: () => setTurn((before) => before + 1) };
}

/** One question at a time, asked by hand; leaving the panel or `stop` ends the work upstream too. */
export function useAsked() {
  const [state, setState] = useState({ answer: null, problem: "", waiting: false, of: null });
  const under = useRef(null);
  useEffect(() => () => under.current?.abort(), []);
  const ask = async (question, call) => {
    under.current?.abort();
    const mine = (under.current = new AbortController());
    setState({ answer: null, problem: "", waiting: true, of: question });
    try {
      const answer = await call(mine.signal);
      if (under.current === mine) setState({ answer, problem: "", waiting: false, of: question });
    } catch (error) {
      if (under.current === mine && error.name !== "AbortError") setState({ answer: null, problem: error.message, waiting: false, of: question });
    }
  };
  const clear = () => {
    under.current?.abort();
    under.current = null;
    setState({ answer: null, problem: "", waiting: false, of: null });
  };
  return { ...state, ask, stop: clear, clear };
}
