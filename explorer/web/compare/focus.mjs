// Which cell is pointed at or kept. Pictures with as many queries share the query, those of one size the key too:
// the same token in two columns. Pure: no DOM.

export class CellFocus {
  constructor() {
    this.kept = {};
    this.preview = null;
  }

  /** {query, key}, null where nothing is chosen, of a picture of T queries and S keys. */
  at(T, S) {
    const chosen = { ...this.kept, ...this.preview };
    const [query, key] = [chosen[T] ?? null, chosen[`${T}x${S}`] ?? null];
    return { query, key };
  }

  show(T, S, cell) {
    this.preview = cell && written(T, S, cell);
  }

  /** Keep a cell; the one that was kept is let go. */
  toggle(T, S, cell) {
    const now = written(T, S, cell);
    const same = Object.entries(now).every(([name, value]) => this.kept[name] === value);
    for (const [name, value] of Object.entries(now)) {
      if (same) delete this.kept[name];
      else this.kept[name] = value;
    }
    this.preview = null;
  }
}

function written(T, S, { query, key }) {
  return { ...(query !== undefined && { [T]: query }), ...(key !== undefined && { [`${T}x${S}`]: key }) };
}
