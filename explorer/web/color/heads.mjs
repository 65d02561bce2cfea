// Which heads of the layer are shown at once: the chosen one, and those that are `also` shown. Pure: no DOM.
// focus.also is text, heads counted from 0: "1_4".

const COLORS = 8; // --hs-head-1 … 8 of palette.css
const DASHES = [[], [7, 3], [2, 2]]; // after eight heads the colours come again, then dashed

export function headsShown({ head, also }, H) {
  const others = also ? also.split("_").map(Number) : [];
  return [...new Set([head, ...others])].filter((h) => h < H).sort((a, b) => a - b);
}

/** The focus once `head` is added to what is shown, or taken away; the last one stays. */
export function withToggled(focus, head, H) {
  const shown = headsShown(focus, H);
  if (!shown.includes(head)) return chosen(focus.head, [...shown, head]);
  const left = shown.filter((h) => h !== head);
  if (!left.length) return chosen(head, []);
  return chosen(left.includes(focus.head) ? focus.head : left[0], left);
}

/** The focus once `head` is shown alone; if it is already, all heads come back. */
export function withIsolated(focus, head, H) {
  const isAlone = String(headsShown(focus, H)) === String(head);
  return chosen(head, isAlone ? everyHead(H) : []);
}

export function everyHead(H) {
  return Array.from({ length: H }, (_, head) => head);
}

export function chosen(head, shown) {
  return {
    head,
    also: shown
      .filter((h) => h !== head)
      .sort((a, b) => a - b)
      .join("_"),
  };
}

/** How a head's lines look: the name of a CSS colour, and dashes as a canvas takes them. */
export function lineStyle(head) {
  return { color: `--hs-head-${(head % COLORS) + 1}`, dash: DASHES[Math.floor(head / COLORS) % DASHES.length] };
}

/** One look for each role of roles.py: colours that are told apart, and dashes beside them. */
const ROLES = {
  "previous token": [6, [7, 3]],
  "same token": [5, [2, 3]],
  "first token": [3, [9, 3, 2, 3]],
  "prefix matching": [4, [4, 2]],
  induction: [1, []],
  "duplicate token": [2, [5, 2, 1, 2, 1, 2]],
  delimiter: [7, [1, 3]],
  broad: [8, [12, 4]],
};

export function roleLook(name) {
  const [color, dash] = ROLES[name];
  return { color: `--hs-head-${color}`, dash };
}
