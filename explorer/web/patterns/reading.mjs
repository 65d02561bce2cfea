// How the chosen token is read: where it looks (its row), or who looks at it (its column). Pure: no DOM.

/**
 * Whether a column is read. Flow leads to one token of the last layer, and a neuron view to a pair: they have no
 * other way.
 */
export function readsColumn({ read, draw }) {
  return read === "column" && (draw === "matrix" || draw === "lines");
}

/**
 * {column, token, others: [{place, p, state, off}]}: the token that is spoken of, and every token that it sees, or that
 * sees it. Without a choice, the last token looks, and the first one that is shown is looked at.
 */
export function reading({ tokens }, focus, shown) {
  const T = tokens.length;
  const column = readsColumn(focus);
  const token = column ? (focus.key ?? Math.min(shown.hidden ? 1 : 0, T - 1)) : (focus.query ?? T - 1);
  const others = [];
  for (let place = 0; place < T; place++) {
    const cell = column ? [place, token] : [token, place];
    if (cell[1] > shown.last(cell[0])) continue;
    others.push({ place, p: shown.at(...cell), state: shown.state(...cell), off: shown.off(...cell) });
  }
  return { column, token, others };
}
