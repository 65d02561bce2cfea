// However often something changes before the next frame, it is drawn once.

/** A function that has `draw` called in the next frame, however often it is called itself until then. */
export function onceAFrame(draw) {
  let isPending = false;
  return () => {
    if (isPending) return;
    isPending = true;
    requestAnimationFrame(() => {
      isPending = false;
      draw();
    });
  };
}
