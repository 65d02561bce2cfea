// One view of the gallery, behind the prompt that runs its text: each holder says what the page gives its view.

import { mount } from "./shell/mount.mjs";

const holders = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-props]"));
for (const holder of holders) mount(holder, { props: JSON.parse(holder.dataset.props) });
