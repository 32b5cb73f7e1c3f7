/** The front end's rules about who may know what, so that nobody has to remember them. */
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

const folder = new URL("../../static/js/", import.meta.url);
const files = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(".js"));
const source = Object.fromEntries(files.map((name) => [name, readFileSync(new URL(name, folder), "utf8")]));
const head = (name) => source[name].slice(0, source[name].indexOf("*/"));
const isPure = (name) => /\bPure\b/.test(head(name));
const imports = (name) => [...source[name].matchAll(/from "([^"]+)"/g)].map((match) => match[1]);
const code = (name) => source[name].replace(/\/\*[\s\S]*?\*\//g, "").replace(/\/\/.*/g, "").replace(/^import .*/gm, "");

test("the files of the drawing call themselves pure", () => {
  for (const name of ["commands", "connecting", "flow-document", "flow-merge", "history", "run-state", "settings-schema"]) {
    assert.ok(isPure(`editor/${name}.js`), name);
  }
});

test("a pure file imports pure files only", () => {
  for (const name of files.filter(isPure)) {
    for (const imported of imports(name)) {
      const file = new URL(imported, new URL(name, folder)).pathname.slice(folder.pathname.length);
      assert.ok(imported.startsWith("./") && isPure(file), `${name} imports ${imported}`);
    }
  }
});

test("a pure file touches neither page nor network", () => {
  for (const name of files.filter(isPure)) {
    assert.doesNotMatch(code(name), /\b(document\.(query|get|create|add|body|active)|window\.|localStorage|fetch\(|WebSocket)/, name);
  }
});

test("every file opens with what it is for", () => {
  for (const name of files) assert.match(source[name], /^\/\*\*/, name);
});

test("no file writes HTML out of text", () => {
  for (const name of files) assert.doesNotMatch(code(name), /innerHTML|outerHTML|dangerouslySetInnerHTML|insertAdjacentHTML|document\.write/, name);
});

test("bare names are those of the vendored files", () => {
  const manifest = JSON.parse(readFileSync(new URL("../../static/vendor/manifest.json", import.meta.url), "utf8"));
  const vendored = new Set(Object.values(manifest.files).flatMap((file) => file.imports));
  for (const name of files) {
    for (const imported of imports(name).filter((each) => !each.startsWith("."))) assert.ok(vendored.has(imported), `${name} imports ${imported}`);
  }
});

test("the import map of the page names every vendored module", () => {
  const manifest = JSON.parse(readFileSync(new URL("../../static/vendor/manifest.json", import.meta.url), "utf8"));
  const page = readFileSync(new URL("../../templates/base.html", import.meta.url), "utf8");
  for (const [file, { imports: names }] of Object.entries(manifest.files)) {
    for (const name of names) assert.ok(page.includes(`"${name}": "{% static 'vendor/${file}' %}"`), name);
  }
});

test("the editor names no node type: palette, cards, forms and refusals come from the server", () => {
  const nodes = new URL("../../recflow/nodes/", import.meta.url);
  const python = readdirSync(nodes, { recursive: true }).filter((name) => name.endsWith(".py")).map((name) => readFileSync(new URL(name, nodes), "utf8"));
  const found = python.flatMap((text) => [...text.matchAll(/^@node\(\s*"([^"]+)",\s*label="([^"]+)"/gm)].map(([, type, label]) => ({ type, label })));
  assert.ok(found.length >= 13, `only ${found.map(({ type }) => type)} were found`);
  for (const name of files.filter((each) => each.startsWith("editor/"))) {
    const texts = [...code(name).matchAll(/(["'`])((?:\\.|(?!\1).)*)\1/gs)].map((match) => match[2]);
    for (const { type, label } of found) {
      assert.ok(!texts.includes(type) && !texts.includes(label), `${name} has the text "${type}"`);
      if (/\W/.test(type)) assert.ok(!source[name].includes(type) && !source[name].includes(label), `${name} speaks of ${label}`);
    }
  }
});
