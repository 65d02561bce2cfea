// What runs are called: by what differs between them. Pure: no DOM. `described` is what llm_core.live says there is to
// choose: {choices: [{name, title, titles}], tasks: [{name, title}]}.

const SAME = "the same choices again";

/** A name for each run, in order: "copy, decoder" if there is one, else what differs from the others. */
export function runNames(records, described) {
  const all = records.map(({ choices }) => choices);
  const differs = described.choices
    .map(({ name }) => name)
    .filter((name) => new Set(all.map((choices) => choices[name])).size > 1);
  const told = differs.length ? differs : ["task", "architecture"];
  return all.map((choices, i) => {
    const words = told.map((name) => choiceText(described, name, choices[name], differs.length > 0));
    const isFirst = all.findIndex((other) => differs.every((name) => other[name] === choices[name])) === i;
    return [...words, ...(isFirst || all.length < 2 ? [] : [SAME])].join(", ");
  });
}

/** "The number of heads", as sentences have it -> "Heads", as a label has it. */
export function shortTitle(title) {
  const short = title.replace(/^The (number of )?/, "");
  return short[0].toUpperCase() + short.slice(1);
}

/** "Heads: 4", "Positions: off", "Learning rate: 0.3"; only the value if it is not titled. */
export function choiceText(described, name, value, titled = true) {
  const choice = described.choices.find((one) => one.name === name);
  const titles =
    name === "task" ? Object.fromEntries(described.tasks.map((task) => [task.name, task.title])) : choice.titles;
  const text = { true: "on", false: "off" }[value] ?? titles?.[value] ?? numberText(value);
  return titled ? `${shortTitle(choice.title)}: ${text}` : text;
}

export function numberText(value) {
  return typeof value === "number" ? String(Number(value.toPrecision(4))) : String(value);
}

/** A proposal for the name of a kept model. */
export function keptName({ choices, step }) {
  return `${choices.task}-${choices.n_layer}x${choices.n_head}-step-${step}`;
}
