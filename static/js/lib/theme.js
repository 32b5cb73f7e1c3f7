/** Light, dark, or what the system says; the choice is remembered on this machine. */

const KEY = "recflow:theme";

/** @returns {"light"|"dark"} what is shown now */
function shownTheme() {
  return document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
}

export function toggleTheme() {
  const theme = shownTheme() === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  remember(theme);
  return theme;
}

/** Put the remembered choice on the page; without one the system's is followed. */
export function applyTheme() {
  const theme = remembered();
  if (theme) document.documentElement.dataset.theme = theme;
}

function remember(theme) {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // A browser that stores nothing still shows the theme for this page.
  }
}

function remembered() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}
