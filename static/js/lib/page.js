/** What every page runs: the theme, before anything is drawn, and its switch. */
import { applyTheme, toggleTheme } from "./theme.js";

applyTheme();
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-toggle-theme]")) toggleTheme();
});
