// The first module of the page: what the header does, and what is seen when. Views come with Gradio's elements.

import { notice, wireHeader } from "./shell/header.mjs";
import { showWhenDrawn } from "./shell/mount.mjs";
import { wireStart } from "./start/start.mjs";
import { address } from "./state/history.mjs";
import { page } from "./state/pages.mjs";

wireHeader(document.getElementById("header"));
wireStart(document.getElementById("start"));
showWhenDrawn();
document.getElementById("share").addEventListener("click", async () => (await import("./save/share.mjs")).share());

const { text, cut } = address.of(page());
if (cut) notice(`This address holds only the first ${[...text].length} of the text's ${cut} characters.`);
