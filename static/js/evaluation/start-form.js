/** What is to be measured: rankers on held-out items among a hundred, or a flow as a whole. */
import { make } from "./elements.js";

/** What a node is compared with when one comes from its flow. */
const BASELINE = "mf";

/**
 * @param {{choices: object, defaults: object, wanted: URLSearchParams, onStart: (body: object) => void}} given
 *   ``wanted`` is the page's query: ``kind``, ``flow``, ``version`` and ``node`` preset what a link from a flow asks for
 */
export function startForm({ choices, defaults, wanted, onStart }) {
  const kind = wanted.get("kind") === "flow" ? "flow" : "rankers";
  const asked = wanted.get("flow") ? `#${wanted.get("flow")}${wanted.get("version") ? `@${wanted.get("version")}` : ""}` : null;
  const rankers = section("rankers", [
    group("Rankers", "What order does each give?",
      choices.rankers.filter((ranker) => !ranker.is_control).map((ranker) =>
        box("rankers", ranker.name, ranker.label,
          asked ? ranker.name === BASELINE : defaults.rankers.includes(ranker.name),
          ranker.is_asked ? "costs money" : ""))),
    group("Controls", "What knows nothing has to score 0.045 among 100.", choices.rankers.filter((ranker) => ranker.is_control).map((ranker) => box("rankers", ranker.name, ranker.label, true))),
    flowsFor(choices, asked, wanted.get("node")),
    field("Shots", make("input", { type: "text", name: "shots", value: defaults.shots.join(" "), inputMode: "numeric", required: true, pattern: "[0-9]+([ ,]+[0-9]+)*", title: "Numbers with a blank or a comma between them, such as 1 5 10" }), "Likes of each user that are known, newest first."),
  ]);
  const whole = section("flow", [
    field("Flow",
      make("select", { name: "flow" }, versions(choices).map(({ value, label }) =>
        make("option", { value, selected: value === asked }, label))),
      "Each user's newest like is hidden; does the final list hold it?"),
    make("label.check-line", {}, make("input", { type: "checkbox", name: "ablation", checked: true }), make("span", {}, "And without each recommender in turn")),
  ]);
  const form = make("form.start-form", { ariaLabel: "New measurement" },
    make("div.segmented", { role: "radiogroup", ariaLabel: "What to measure" },
      [["rankers", "Rankers"], ["flow", "Whole flow"]].map(([value, label]) => make("label", {},
        make("input", { type: "radio", name: "kind", value, checked: value === kind }),
        make("span", {}, label)))),
    rankers, whole,
    make("div.field-row", {},
      field("Users", make("input", { type: "number", name: "users", min: 1, placeholder: "all", value: "200" }), "A sample, drawn by the seed. Empty: everybody."),
      field("Seed", make("input", { type: "number", name: "seed", min: 0, value: defaults.seed, required: true }), "The same seed asks the same questions.")),
    make("button.button.is-primary", { type: "submit", data: { testid: "start-evaluation" } }, "Measure"));
  const choose = () => {
    const isFlow = form.elements.kind.value === "flow";
    rankers.hidden = isFlow;
    whole.hidden = !isFlow;
    rankers.disabled = isFlow;
    whole.disabled = !isFlow;
  };
  form.addEventListener("change", choose);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    onStart(bodyOf(new FormData(form)));
  });
  choose();
  return { element: make("article", {}, make("h2.view-title", {}, "New measurement"), form) };
}

/** The request that a filled form stands for. */
function bodyOf(data) {
  const shared = { seed: Number(data.get("seed")), users: data.get("users") ? Number(data.get("users")) : null };
  if (data.get("kind") === "flow") return { kind: "flow", settings: { ...shared, flow: data.get("flow"), ablation: data.has("ablation") } };
  const shots = [...new Set(data.get("shots").split(/[ ,]+/).filter(Boolean).map(Number))];
  return { kind: "rankers", settings: { ...shared, rankers: data.getAll("rankers"), flows: data.getAll("flows"), shots } };
}

/** Every draft and version, as the server names them. */
export function versions(choices) {
  return choices.flows.flatMap(({ flow_id: id, name, versions: numbers }) => [
    { value: `#${id}`, label: `${name}, draft` },
    ...numbers.map((number) => ({ value: `#${id}@${number}`, label: `${name}, version ${number}` })),
  ]);
}

/** The flow that a link asks for is narrowed to the node it came from. */
function flowsFor(choices, asked, node) {
  const all = versions(choices).map((each) => (node && each.value === asked ? { value: `${asked}/${node}`, label: `${each.label}, only its node ${node}` } : each));
  if (all.length === 0) return null;
  return group("Ranker nodes of flows", "Each with its own settings.", all.map(({ value, label }) => box("flows", value, label, value.split("/")[0] === asked)));
}

function section(name, children) {
  return make("fieldset.plain", { name: `part-${name}` }, make("legend.visually-hidden", {}, name === "flow" ? "Whole flow" : "Rankers"), children);
}

function group(title, hint, boxes) {
  return make("fieldset.choices", {}, make("legend.field-label", {}, title), make("p.field-hint", {}, hint), make("div.choice-boxes", {}, boxes));
}

function box(name, value, label, checked, note = "") {
  return make("label.choice", {}, make("input", { type: "checkbox", name, value, checked }), make("span", {}, label), note && make("span.tag", {}, note));
}

function field(label, input, hint) {
  return make("label.field", {}, make("span.field-label", {}, label), input, make("span.field-hint", {}, hint));
}
