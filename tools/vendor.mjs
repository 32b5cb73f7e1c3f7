/**
 * Builds static/vendor from the exact versions in package-lock.json.
 *
 *   npm ci --ignore-scripts && node tools/vendor.mjs            write the files
 *   npm ci --ignore-scripts && node tools/vendor.mjs --check    fail when the committed files differ
 *
 * Only whoever updates a library runs this: what it writes is committed and is what browsers load. Every exported
 * name is spelled out below, because names of CommonJS packages cannot be found out, and because what nobody
 * imports is left out of the file.
 */
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { readFile, writeFile, mkdir } from "node:fs/promises";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const TARGET = path.join(ROOT, "static", "vendor");

/** file name -> the bare names of the import map that point at it, and what it exports. */
const BUNDLES = {
  // One file, because two copies of React in a page break every hook.
  "react-flow.js": {
    imports: ["react", "react-dom", "react-dom/client", "@xyflow/react"],
    source: `
      export { createElement, Fragment, memo, createContext, useContext, useState, useEffect, useLayoutEffect,
        useMemo, useCallback, useRef, useId, useSyncExternalStore, Component } from "react";
      export { createPortal, flushSync } from "react-dom";
      export { createRoot } from "react-dom/client";
      export { ReactFlow, ReactFlowProvider, Background, BackgroundVariant, MiniMap, Panel, Handle, Position,
        BaseEdge, EdgeLabelRenderer, ViewportPortal, getBezierPath, useReactFlow, useStore, useStoreApi,
        useNodesInitialized, useConnection, useUpdateNodeInternals, SelectionMode, ConnectionMode,
        ConnectionLineType } from "@xyflow/react";`,
  },
  "htm.js": { imports: ["htm"], source: `export { default } from "htm";` },
  "dagre.js": { imports: ["@dagrejs/dagre"], source: `export { graphlib, layout } from "@dagrejs/dagre";` },
  "codemirror.js": {
    imports: ["codemirror"],
    source: `
      export { EditorState, Annotation, Compartment } from "@codemirror/state";
      export { EditorView, keymap, placeholder, drawSelection, lineNumbers, tooltips } from "@codemirror/view";
      export { history, historyKeymap, defaultKeymap } from "@codemirror/commands";
      export { autocompletion, completionKeymap, completionStatus, closeBrackets, closeBracketsKeymap,
        closeCompletion } from "@codemirror/autocomplete";
      export { lintGutter, setDiagnostics } from "@codemirror/lint";
      export { HighlightStyle, syntaxHighlighting, bracketMatching, StreamLanguage, indentOnInput,
        LanguageSupport } from "@codemirror/language";
      export { json } from "@codemirror/lang-json";
      export { javascript } from "@codemirror/lang-javascript";
      export { jinja } from "@codemirror/lang-jinja";
      export { tags } from "@lezer/highlight";`,
  },
};

const STYLESHEETS = { "react-flow.css": "node_modules/@xyflow/react/dist/style.css" };

/** Prompts are plain text: the HTML grammar (with CSS and JavaScript inside) would double the editor's size. */
const plainTextInsteadOfHtml = {
  name: "plain-text-instead-of-html",
  setup(esbuild) {
    esbuild.onResolve({ filter: /^@codemirror\/lang-html$/ }, () => ({ path: "plain", namespace: "plain" }));
    esbuild.onLoad({ filter: /.*/, namespace: "plain" }, () => ({
      resolveDir: ROOT,
      contents: `
        import { StreamLanguage, LanguageSupport } from "@codemirror/language";
        const text = StreamLanguage.define({ token: (stream) => (stream.skipToEnd(), null) });
        export const html = () => new LanguageSupport(text);`,
    }));
  },
};

const files = await buildAll();
if (process.argv.includes("--check")) check(files);
else await write(files);

/** Every vendored file as name -> bytes, the manifest and the licences among them. */
async function buildAll() {
  const contents = new Map();
  const packages = new Set();
  for (const [name, bundle] of Object.entries(BUNDLES)) {
    const result = await build({
      stdin: { contents: bundle.source, resolveDir: ROOT },
      bundle: true, minify: true, format: "esm", target: "es2022", write: false, metafile: true,
      absWorkingDir: ROOT, legalComments: "none", define: { "process.env.NODE_ENV": '"production"' },
      plugins: [plainTextInsteadOfHtml],
    });
    contents.set(name, Buffer.from(result.outputFiles[0].contents));
    for (const input of Object.keys(result.metafile.inputs)) packages.add(packageOf(input));
  }
  for (const [name, source] of Object.entries(STYLESHEETS)) {
    contents.set(name, await readFile(path.join(ROOT, source)));
  }
  packages.delete(null);
  contents.set("manifest.json", Buffer.from(manifest(contents, [...packages].sort())));
  contents.set("LICENSES.txt", Buffer.from(licenses([...packages].sort())));
  return contents;
}

function manifest(contents, packages) {
  const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
  const about = {
    packages: Object.fromEntries(packages.map((name) => [name, versionOf(name)])),
    files: Object.fromEntries(
      [...contents].map(([name, bytes]) => [
        name,
        { imports: BUNDLES[name]?.imports ?? [], bytes: bytes.length, sha256: sha256(bytes) },
      ]),
    ),
  };
  return `${JSON.stringify(about, null, 2)}\n`;
}

function licenses(packages) {
  return packages
    .map((name) => {
      const folder = path.join(ROOT, "node_modules", name);
      const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
      const text = file ? readFileSync(path.join(folder, file), "utf8") : `Licence: ${aboutPackage(name).license}`;
      return `${name} ${versionOf(name)}\n${"-".repeat(72)}\n${text.trim()}\n`;
    })
    .join("\n\n");
}

async function write(built) {
  await mkdir(TARGET, { recursive: true });
  for (const [name, bytes] of built) {
    await writeFile(path.join(TARGET, name), bytes);
    console.log(`${name.padEnd(18)} ${bytes.length.toLocaleString("en")} bytes`);
  }
}

function check(built) {
  const different = [...built].filter(([name, bytes]) => !bytes.equals(committed(name))).map(([name]) => name);
  if (different.length === 0) return console.log("static/vendor is what package-lock.json says.");
  console.error(`These files in static/vendor differ from what package-lock.json builds: ${different.join(", ")}.`);
  process.exitCode = 1;
}

function committed(name) {
  try {
    return readFileSync(path.join(TARGET, name));
  } catch {
    return Buffer.alloc(0);
  }
}

function packageOf(input) {
  const match = input.match(/node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*node_modules\/)/);
  return match ? match[1] : null;
}

function versionOf(name) {
  return aboutPackage(name).version;
}

function aboutPackage(name) {
  return JSON.parse(readFileSync(path.join(ROOT, "node_modules", name, "package.json"), "utf8"));
}
