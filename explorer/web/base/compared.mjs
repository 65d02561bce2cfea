// What was drawn is drawn again only where what it is drawn from is another.

/** A function that says whether any of its values is another one than when it was called last. */
export function compared() {
  let last = null;
  return (...values) => {
    const isOther = last === null || values.some((value, i) => value !== last[i]);
    last = values;
    return isOther;
  };
}
