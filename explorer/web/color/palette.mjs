// Every colour that means something, light and dark. Pure: no DOM.
//
// A colour means one thing. What is not in this table has no colour of its own: it is ink, grey, or said by a sign.
//
//   name       hue      means                                                        not
//   query      blue     a query: the token that looks, its row                       chosen, positive, a size
//   key        rust     a key: the token that is looked at, its column               changed, below zero
//   value      green    a value: what is handed over                                 good
//   attention  violet   a share of one: a weight, a probability, a score             chosen, a link
//   first      grey     of what a token gives: to the first token
//   itself     deep     of what a token gives: to itself (the rest is attention)     query
//   seen       lilac    a mask lets this through
//   positive   teal     above zero, whatever that is good for                        query, better, worse
//   negative   ochre    below zero                                                   key
//   changed    magenta  not as the model was trained: an edit
//   bad        red      wrong, broken, a leak; no number where there should be one
//   good       fir      right, passed                                                value
//   chosen     ink      what is chosen, pressed or pointed at, a link: the strongest contrast that there is
//
// A letter of a shape (T, C, H) has no colour: C and D are underlined, H is dotted. Tokens and heads are categories: a
// colour of CATEGORIES says "this one and not that one", beside a legend that names it.
//
// test_palette.py holds them to WCAG 2.1 (text 4.5, graphics 3) and, where they meet in one picture, to a distance that
// colour-blind eyes see (Machado, Oliveira and Fernandes 2009); palette.css is written from here.

/** [light, dark] */
export const ROLES = {
  query: ["#1a2f9c", "#4284ff"],
  key: ["#8a3206", "#ef7a3a"],
  value: ["#2f7f5f", "#86efc2"],
  attention: ["#8b3cf0", "#c9a8ff"],
  first: ["#8b8b96", "#71717c"],
  itself: ["#3a0f78", "#ece0ff"],
  seen: ["#9f84cf", "#7561ad"],
  positive: ["#0e6a84", "#3fb4d0"],
  negative: ["#8a5a00", "#e3b341"],
  changed: ["#86064f", "#f4478f"],
  bad: ["#cf2f38", "#fa9194"],
  good: ["#17420c", "#a8f947"],
  chosen: ["#18181b", "#f4f4f5"],
};

/** One of several tokens, heads, runs or roles of heads; after the last they come again, dashed or shifted. */
export const CATEGORIES = {
  light: ["#6d28d9", "#d97e09", "#7b0338", "#ae74ff", "#cb101c", "#183982", "#31a691", "#875884"],
  dark: ["#b794f6", "#217e10", "#e2e10b", "#b62faf", "#3cf0f8", "#eea580", "#136fff", "#ff016b"],
};

/** A share, from the ground up: one hue, lightness alone tells more from less. */
export const SEQUENTIAL = {
  light: ["#ffffff", "#d6c4f0", "#966cd6", "#5b2ca0", "#2e0c5c"],
  dark: ["#131318", "#3a2464", "#6e48b8", "#ac8aec", "#eee4ff"],
};

/** A signed number: below zero, zero, above. */
export const DIVERGING = {
  light: [ROLES.negative[0], "#f7f7f7", ROLES.positive[0]],
  dark: [ROLES.negative[1], "#26262c", ROLES.positive[1]],
};

/** The same as custom properties: what palette.css says. */
export function styleSheet() {
  const block = (selector, i, categories) => {
    const roles = Object.entries(ROLES).map(([name, colors]) => `  --hs-${name}: ${colors[i]};`);
    const heads = categories.map((color, head) => `  --hs-head-${head + 1}: ${color};`);
    return `${selector} {\n${[...roles, ...heads].join("\n")}\n}\n`;
  };
  const about = "/* Written from palette.mjs, which says what each means: npm run palette writes it anew. */\n";
  return `${about}${block(":root", 0, CATEGORIES.light)}${block("body.dark", 1, CATEGORIES.dark)}`;
}
