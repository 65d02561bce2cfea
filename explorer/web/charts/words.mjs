// The words of charts that are drawn by plotly. Pure: no DOM.

export const CHART = {
  loading: "Loading the chart …",
  failed: "The chart could not be loaded: reload the page to try again. Its numbers are in the table below.",
  noGl: "This browser has no WebGL, which the 3-D map needs. The flat map shows the same tokens.",
  table: "These numbers as a table",
  view: "Visible part of the chart",
  buttons: { "+": ["+", "Zoom in"], "-": ["−", "Zoom out"], 0: ["Show all", "Show all of it"] },
  keys: "Keys: + and − zoom, arrows move, 0 shows everything again.",
};
