// Pointer and keyboard on a matrix.

import { move } from "../state/focus.mjs";

/**
 * What happens on a canvas, as calls:
 * `at(x, y)` is what lies there, null for nothing; `point(what)` hears what the pointer is on, null when it leaves;
 * `choose(what)` what is clicked, or the cell of the keyboard at Enter; `place()` is the keyboard's {row, column, rows,
 * columns}, and `go({row, column})` where an arrow key leads. A canvas without `go` has no keyboard.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {{at: (x: number, y: number) => any, point: (what: any) => void, choose: (what: any) => void,
 *   place?: () => {row: number, column: number, rows: number, columns: number},
 *   go?: (cell: {row: number, column: number}) => void}} on
 */
export function listen(canvas, { at, point, choose, place, go }) {
  const under = ({ offsetX, offsetY }) => at(offsetX, offsetY);
  canvas.addEventListener("mousemove", (event) => point(under(event)));
  canvas.addEventListener("mouseleave", () => point(null));
  canvas.addEventListener("click", (event) => {
    const what = under(event);
    if (what) choose(what);
  });
  if (!go) return;
  canvas.addEventListener("keydown", (event) => {
    const { row, column, rows, columns } = place();
    const next = move(event.key, row, column, rows, columns);
    if (!next && event.key !== "Enter") return;
    event.preventDefault();
    if (next) go({ row: next[0], column: next[1] });
    else choose({ row, column });
  });
}
