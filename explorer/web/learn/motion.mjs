// How cells get from one picture to the next. Pure: no DOM.
// A cell of the new picture starts where the same cell was: best in the panel of the same name, else in any.

export const SECONDS = 0.6;

/**
 * For each new cell the number of the old one it comes from, or -1. Cells: {length, key: string[], panel: string[]}.
 */
export function origins(before, after) {
  const own = new Map();
  const any = new Map();
  for (let i = 0; i < before.length; i++) {
    own.set(`${before.panel[i]}|${before.key[i]}`, i);
    if (!any.has(before.key[i])) any.set(before.key[i], i);
  }
  const from = new Int32Array(after.length);
  for (let i = 0; i < after.length; i++)
    from[i] = own.get(`${after.panel[i]}|${after.key[i]}`) ?? any.get(after.key[i]) ?? -1;
  return from;
}

/** Slow at both ends. */
export function ease(t) {
  return t < 0.5 ? 4 * t ** 3 : 1 - (2 - 2 * t) ** 3 / 2;
}
