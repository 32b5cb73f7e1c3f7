/** htm bound to React: `html\`<p>${text}</p>\`` makes React elements, so text from people is always text. */
import htm from "htm";
import { createElement } from "react";

export const html = htm.bind(createElement);
