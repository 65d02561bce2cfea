// Where the parts of an open block stand: columns from left to right, the stream in row 1, and
// what reads it in rows 2 to 4.

const COLUMNS = [
  ["ln_1"],
  ["q", "k", "v"],
  ["rot_q", "rot_k"],
  ["scores"],
  ["pattern"],
  ["z"],
  ["attn_out"],
  ["ln_2"],
  ["pre", "up"],
  ["gate"],
  ["post"],
  ["mlp_out"],
];
const WIDE = ["scores", "pattern"]; // a picture for each head
const all = (column) => `2 / ${column} / 5 / ${column + 1}`;

/** For the stages of a block: CSS grid areas by stage, "wire-…", "branch-…"; `columns`: their widths. */
export function placesOf(ids) {
  const columns = COLUMNS.map((names) => names.filter((id) => ids.includes(id))).filter((names) => names.length);
  const at = (id) => columns.findIndex((names) => names.includes(id)) + 1;
  const places = {};
  for (const [i, names] of columns.entries()) {
    for (const [row, id] of names.entries()) places[id] = names.length === 1 ? all(i + 1) : `${row + 2} / ${i + 1}`;
  }
  const stream = { resid_pre: 1, resid_mid: at("attn_out"), resid_post: at("mlp_out") };
  for (const [id, column] of Object.entries(stream)) if (ids.includes(id)) places[id] = `1 / ${column}`;
  places["wire-spine"] = `1 / 1 / 2 / ${columns.length + 1}`;
  for (const id of ["ln_1", "attn_out", "ln_2", "mlp_out"]) places[`wire-${id}`] = all(at(id));
  places["wire-from_mid"] = `1 / ${at("ln_2")} / 2 / ${at("ln_2") + 1}`;
  places["branch-attention"] = `5 / 1 / 6 / ${at("ln_2")}`;
  places["branch-mlp"] = `5 / ${at("ln_2")} / 6 / ${columns.length + 1}`;
  places.columns = columns.map((names) => (WIDE.includes(names[0]) ? "minmax(0, 1.15fr)" : "minmax(0, 1fr)")).join(" ");
  return places;
}
