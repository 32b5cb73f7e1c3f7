/** The Data page's comfort: says that a file is on its way, follows imports, and which words confirm a deletion. */

const LOOK_MS = 1000;

const importing = document.getElementById("import-form");
importing?.addEventListener("submit", () => {
  const button = importing.querySelector("button[type=submit]");
  button.disabled = true;
  document.getElementById("import-state").textContent = "Sending the file. It is imported in the background once it is here.";
});
// Back from the answer, the browser may show the page as it was left.
window.addEventListener("pageshow", () => {
  importing?.querySelector("button[type=submit]").removeAttribute("disabled");
});

follow();

/** While a file is being taken in, the list of imports is asked for again; the forms stay as they are. */
async function follow() {
  const shown = document.getElementById("imports");
  if (!("busy" in shown.dataset)) return;
  await new Promise((over) => setTimeout(over, LOOK_MS));
  if (!document.hidden) await renew(shown);
  follow();
}

async function renew(shown) {
  try {
    const answer = await fetch(location.pathname);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("imports");
    if (answer.ok && fresh && !fresh.isEqualNode(shown)) shown.replaceWith(fresh);
  } catch {
    // The server is away for a moment: the next look may find it.
  }
}

const purging = document.getElementById("purge-form");
purging?.addEventListener("change", () => {
  const what = new FormData(purging).get("what");
  if (what) purging.querySelector("[name=typed]").placeholder = `delete ${what}`;
});
