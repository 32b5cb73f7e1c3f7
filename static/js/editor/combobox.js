/** A text field with suggestions from the server: type, arrows choose, Enter takes. */
import { useEffect, useId, useRef, useState } from "react";
import { html } from "../lib/html.js";

const PAUSE_MS = 120;

/**
 * @param {{label: string, value: string, onValue: (value: string) => void, suggest: (text: string) => Promise<object[]>,
 *   describe: (found: object) => {value: string, words: string, beside?: string}, onEnter: (value: string) => void,
 *   onTake?: (option: {value: string, words: string}) => void}} props onTake: a suggestion was chosen, where that is more than writing it down
 */
export function Combobox({ id, testId, label, placeholder, value, onValue, suggest, describe, onEnter, onTake = ({ value: taken }) => onValue(taken) }) {
  const listId = useId();
  const [found, setFound] = useState([]);
  const [open, setOpen] = useState(false);
  const [active, setActive] = useState(-1);
  const asked = useRef(0);
  const timer = useRef(null);
  useEffect(() => () => clearTimeout(timer.current), []);

  const ask = (text) => {
    clearTimeout(timer.current);
    timer.current = setTimeout(async () => {
      const mine = (asked.current += 1);
      const answer = await suggest(text).catch(() => []);
      if (mine === asked.current) setFound(answer.map(describe));
    }, PAUSE_MS);
  };
  const change = (event) => {
    onValue(event.target.value);
    setActive(-1);
    setOpen(true);
    ask(event.target.value);
  };
  const take = (option) => {
    onTake(option);
    shut();
  };
  const shut = () => {
    setOpen(false);
    setActive(-1);
  };
  const onKeyDown = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      if (!open) ask(value);
      setOpen(true);
      if (found.length > 0) setActive((active + step + found.length) % found.length);
    } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey || event.altKey)) {
      shut(); // a key of the whole editor, such as the one that stops a run
    } else if (event.key === "Enter") {
      event.preventDefault();
      const option = open && active >= 0 ? found[active] : null;
      if (option) take(option);
      else onEnter(value);
      shut();
    } else if (event.key === "Escape" && open) {
      event.preventDefault();
      event.stopPropagation();
      shut();
    }
  };
  const shown = open && found.length > 0;
  return html`<div className="combobox">
    <input id=${id} data-testid=${testId} type="text" role="combobox" aria-label=${label} aria-expanded=${shown} aria-controls=${listId} aria-autocomplete="list"
      aria-activedescendant=${shown && active >= 0 ? `${listId}-${active}` : undefined} autoComplete="off" spellCheck="false" placeholder=${placeholder} value=${value}
      onChange=${change} onKeyDown=${onKeyDown} onFocus=${() => ask(value)} onBlur=${shut} onClick=${() => setOpen(true)} />
    ${shown && html`<ul className="suggestions" role="listbox" id=${listId} aria-label=${`Suggestions for ${label}`}>
      ${found.map((option, index) => html`<li key=${option.value} id=${`${listId}-${index}`} role="option" aria-selected=${index === active}
          onPointerDown=${(event) => { event.preventDefault(); take(option); }}>
        <span className="suggestion-words" title=${option.words}>${option.words}</span>${option.beside && html`<span className="suggestion-beside">${option.beside}</span>`}</li>`)}
    </ul>`}
  </div>`;
}
