/** What every page runs: the theme, before anything is drawn, and its switch. */
import { applyTheme, toggleTheme } from "./theme.js";

applyTheme();
const here = document.querySelector(".top-nav [aria-current]");
if (here) here.parentElement.scrollLeft = here.offsetLeft - 48; // on a phone the names of the pages do not fit
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-toggle-theme]")) toggleTheme();
});
