/** The Data page's comfort: says that a file is on its way, and which words confirm a deletion. */

const importing = document.getElementById("import-form");
importing?.addEventListener("submit", () => {
  const button = importing.querySelector("button[type=submit]");
  button.disabled = true;
  document.getElementById("import-state").textContent = "Sending and importing the file. This page answers when it is done.";
});
// Back from the answer, the browser may show the page as it was left.
window.addEventListener("pageshow", () => {
  importing?.querySelector("button[type=submit]").removeAttribute("disabled");
});

const purging = document.getElementById("purge-form");
purging?.addEventListener("change", () => {
  const what = new FormData(purging).get("what");
  if (what) purging.querySelector("[name=typed]").placeholder = `delete ${what}`;
});
