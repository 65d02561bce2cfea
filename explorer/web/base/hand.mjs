// What is done with a mouse, said for a finger: nothing hovers over a touch screen, and a tap pins.

const isTouched = globalThis.matchMedia?.("(hover: none)").matches ?? false;

const SAID = [
  [/[;,.] (click|Shift-click) (to pin( it)?|it to mark them|pins it)\b/g, ""],
  [/\bHover to (preview|look at a head)/g, "Tap a head to look at it"],
  [/\bHover over\b/g, "Tap"],
  [/ \(or Shift\+Enter\)/g, ""],
  [/\bClick\b/g, "Tap"],
  [/\bclick\b/g, "tap"],
];

/** The sentence as it holds for this screen. */
export function byHand(sentence, isFinger = isTouched) {
  return isFinger ? SAID.reduce((said, [mouse, finger]) => said.replace(mouse, finger), sentence) : sentence;
}
