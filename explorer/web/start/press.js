// The first screen: what its button, its steps and its links do. It stands in the first HTML and needs no module, so
// it answers before Gradio, and before the rest of ours, has come. What it draws is a function of the data, of whether
// the two heads are off, and of the step.
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const WIDEST = 14; // px, of an arc of weight 1
  const LEAST = 0.02; // the least weight that is drawn
  const root = document.getElementById("start");
  const data = JSON.parse(document.getElementById("start-data").textContent);
  const one = (selector) => /** @type {HTMLElement} */ (root.querySelector(selector));
  const stage = one(".hs-start-stage");
  const sentence = one(".hs-start-sentence");
  const name = one(".hs-start-name");
  const button = one(".hs-start-switch");
  const tokens = /** @type {HTMLElement[]} */ ([...root.querySelectorAll(".hs-start-tokens > span")]);
  const sections = /** @type {HTMLElement[]} */ ([...root.querySelectorAll("[data-step]")]);
  const last = tokens.length - 1;
  const arcs = tokens.map((_, place) => {
    const arc = document.createElementNS(SVG, "path");
    arc.classList.toggle("hs-to-target", place === data.target);
    return arc;
  });
  const svg = sentence.querySelector("svg");
  svg.append(...arcs);

  // where things are

  /** @returns {{left: number, top: number, bottom: number, middle: number}} */
  const boxOf = (place) => {
    const { offsetLeft: left, offsetTop: top, offsetWidth: width, offsetHeight: height } = tokens[place];
    return { left, top, bottom: top + height, middle: left + width / 2 };
  };

  /** How high an arc rises: on the first line there is room for it, on others only the space below the line before. */
  function heightOf(from, to) {
    const isFirst = from.top === boxOf(0).top;
    return isFirst ? Math.min(92, 28 + 0.2 * (from.middle - to.middle)) : 14;
  }

  /** From the last token to another: over the line, or up through the space between two lines. */
  function pathTo(place) {
    const [from, to] = [boxOf(last), boxOf(place)];
    if (from.top === to.top) {
      const high = to.top - heightOf(from, to) * (4 / 3);
      return `M${from.middle} ${from.top}C${from.middle} ${high} ${to.middle} ${high} ${to.middle} ${to.top}`;
    }
    const half = (from.top + to.bottom) / 2;
    return `M${from.middle} ${from.top}C${from.middle} ${half} ${to.middle} ${half} ${to.middle} ${to.bottom}`;
  }

  function place() {
    if (!root.offsetParent) return;
    sentence.classList.toggle("hs-one-line", boxOf(last).top === boxOf(data.target).top); // leaves room for high arcs
    const [from, to] = [boxOf(last), boxOf(data.target)];
    svg.setAttribute("viewBox", `0 0 ${sentence.clientWidth} ${sentence.clientHeight}`);
    for (const [i, arc] of arcs.entries()) if (i !== last) arc.setAttribute("d", pathTo(i));
    const isOneLine = from.top === to.top;
    const half = name.offsetWidth / 2;
    const middle = isOneLine ? (from.middle + to.middle) / 2 : to.middle;
    name.style.left = `${Math.min(Math.max(middle - half, 0), sentence.clientWidth - 2 * half)}px`;
    name.style.top = `${to.top - (isOneLine ? heightOf(from, to) + 14 : 6) - name.offsetHeight}px`;
  }

  // what is shown

  const state = { isOff: false, step: "first" };
  const percent = (part) => (part >= 0.01 ? `${Math.round(100 * part)}%` : "<1%");

  function show() {
    const isOff = state.isOff && state.step === "first"; // the walk goes through the model as it is
    const { weights, next } = isOff ? data.after : data.before;
    root.dataset.off = String(isOff);
    root.dataset.step = state.step;
    for (const [i, arc] of arcs.entries()) {
      arc.style.strokeWidth = String(weights[i] < LEAST ? 0 : Math.max(1, WIDEST * weights[i]));
      arc.style.opacity = weights[i] < LEAST ? "0" : "";
    }
    name.lastElementChild.textContent = weights[data.target].toFixed(2);
    for (const [i, bar] of [...one(".hs-start-next").children].entries()) {
      const { text, probability } = next[i];
      const [said, , number] = bar.children;
      said.textContent = text.trim() || "␣";
      number.textContent = percent(probability);
      /** @type {HTMLElement} */ (bar).style.setProperty("--part", probability);
    }
    button.textContent = data.buttons[isOff ? "off" : "on"];
    button.setAttribute("aria-pressed", String(isOff));
    one(".hs-start-press > p").textContent = data.sentences[isOff ? "off" : "on"];
  }

  const wordOf = (place) => tokens[place].firstChild.textContent.trim();

  function fillMatrix() {
    const matrix = one(".hs-start-matrix");
    matrix.style.setProperty("--size", String(tokens.length));
    for (const [query, row] of data.pattern.entries())
      for (const [key, weight] of row.entries()) {
        const cell = document.createElement("i");
        cell.style.setProperty("--part", weight);
        cell.style.setProperty("--from", String(last - query));
        const isArc = query === last && key === data.target;
        if (key === 0) cell.dataset.row = wordOf(query);
        if (isArc) cell.dataset.column = wordOf(key);
        cell.className = key > query ? "hs-hidden" : isArc ? "hs-is-arc" : "";
        matrix.append(cell);
      }
  }

  // what is pressed, and how far one has scrolled

  const isStill = matchMedia("(prefers-reduced-motion: reduce)");

  function walkTo(section) {
    const top = section.getBoundingClientRect().top + scrollY - stage.offsetHeight;
    scrollTo({ top, behavior: isStill.matches ? "auto" : "smooth" });
  }

  function scrolled() {
    const line = (stage.offsetHeight + innerHeight) / 2; // of what is seen below the picture, the middle
    const passed = sections.filter((section) => section.getBoundingClientRect().top < line);
    const step = root.offsetParent && scrollY > 0 && passed.length ? passed.at(-1).dataset.step : "first";
    if (step === state.step) return;
    state.step = step;
    show();
  }

  button.addEventListener("click", () => {
    state.isOff = !state.isOff;
    show();
  });
  for (const [i, section] of sections.entries())
    section.querySelector(".hs-start-on")?.addEventListener("click", () => walkTo(sections[i + 1]));
  addEventListener("scroll", scrolled, { passive: true });
  new ResizeObserver(place).observe(sentence);

  // who has begun a lesson goes on where it was left

  /** The lesson that was begun last, at the step after the farthest; or the next lesson, if it was seen to its end. */
  function nextStep(progress) {
    const begun = data.lessons.findIndex(({ id }) => id === Object.keys(progress).at(-1));
    if (begun < 0) return null;
    const step = Math.max(-1, ...Object.keys(progress[data.lessons[begun].id]).map(Number)) + 1;
    if (step < data.lessons[begun].num_steps) return { lesson: data.lessons[begun], step: step + 1 };
    return data.lessons[begun + 1] ? { lesson: data.lessons[begun + 1], step: 1 } : null;
  }

  function greet() {
    let found = null;
    try {
      found = nextStep(JSON.parse(localStorage.getItem("headscope.progress")) ?? {});
    } catch {
      // no storage allowed, or something else in it: a visitor like any other
    }
    const link = /** @type {HTMLAnchorElement} */ (one(".hs-start-continue"));
    link.hidden = !found;
    if (!found) return;
    link.href = `?${new URLSearchParams({ lesson: found.lesson.id, step: String(found.step) })}`;
    link.textContent = `Continue: ${found.lesson.title}, step ${found.step}`;
  }

  document.addEventListener("hs-page", greet); // back from a lesson
  fillMatrix();
  greet();
  show();
  place();
  root.dataset.ready = "true";
})();
