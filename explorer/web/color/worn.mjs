// Colors that many elements change at once. Each color is a rule, which all that wear it share, and no element has a
// style of its own: so the browser works out as many styles as there are colors, not as there are elements.

const sheet = new CSSStyleSheet();
document.adoptedStyleSheets.push(sheet);
const names = new Map(); // of rules, by what they say

/** Ground and letters of `element`, as CSS has them; its own ones without a ground. */
export function wear(element, ground, letters) {
  if (ground) element.dataset.worn = nameOf(`background-color: ${ground}; color: ${letters}`);
  else delete element.dataset.worn;
}

function nameOf(look) {
  if (!names.has(look)) {
    names.set(look, String(names.size));
    sheet.insertRule(`@layer worn { [data-worn="${names.get(look)}"] { ${look} } }`);
  }
  return names.get(look);
}
