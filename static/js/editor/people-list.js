/** Who else has this flow open: faces in the header, a list behind them, and a face on the node somebody selected. */
import { html } from "../lib/html.js";
import { Icon } from "../lib/icons.js";
import { indexed } from "./flow-index.js";
import { nameOf } from "./node-types.js";
import { allInWords, colorClass, doing, initials, nameOfPerson, peopleAt } from "./people.js";
import { Popover } from "./popover.js";
import { useEditor, useEditorState } from "./store.js";

const SHOWN = 3;

export function People() {
  const people = useEditorState((state) => state.people);
  if (people.length === 0) return null;
  const hidden = people.length - SHOWN;
  const face = html`<span className="faces">${people.slice(0, SHOWN).map((person) => html`<${Face} key=${person.id} person=${person} />`)}
    ${hidden > 0 && html`<span className="face">+${hidden}</span>`}</span>`;
  return html`<${Popover} label=${allInWords(people)} testId="presence" className="people-button" face=${face}>
    ${() => html`<ul className="people-list" data-testid="people">${people.map((person) => html`<${Row} key=${person.id} person=${person} />`)}</ul>`}
  </${Popover}>`;
}

/** On a node's card: who has it selected elsewhere. */
export function PeopleAt({ nodeId }) {
  const people = useEditorState((state) => peopleAt(state.people, nodeId));
  if (people.length === 0) return null;
  return html`<span className=${`card-people ${colorClass(people[0])}`} data-testid=${`people-${nodeId}`}>${people.map((person) => html`<${Face} key=${person.id} person=${person} />`)}</span>`;
}

function Face({ person }) {
  const letters = person.is_you ? "" : initials(person.name);
  return html`<span className=${`face ${colorClass(person)} ${person.is_editing ? "is-editing" : ""}`} data-testid="avatar"
    title=${`${nameOfPerson(person)} · ${doing(person)}`}>
    ${letters || html`<${Icon} name="panel" size=${13} />`}</span>`;
}

function Row({ person }) {
  const { types } = useEditor();
  const flow = useEditorState((state) => state.flow);
  const nodes = person.node_ids.map((id) => indexed(flow).node(id)).filter(Boolean);
  const at = nodes.length > 0 ? ` · at ${nodes.map((node) => nameOf(node, types)).join(", ")}` : "";
  return html`<li><${Face} person=${person} /><span className="person-words"><b>${nameOfPerson(person)}</b><span className="version-sub">${doing(person)}${at}</span></span></li>`;
}
