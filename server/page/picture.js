// The network as a picture: its steps from input to output, and of every activation its channels, one column each,
// coloured by how often they fired.
import { $, button, el, percent, several, shape, short, svg, tip } from "./dom.js";
import { ramp, strip } from "./heat.js";
import { lay } from "./lanes.js";

const TALL = 78, LOW = 34; // px, of rows with and without a strip
const LANE = 16, MOST_LANES = 8;

const key = ({ name, path }) => `${name}\n${path}`; // of a step and of the layer that it is

export function legend() {
  const scale = el("span", { class: "scale" }), swatch = (name, text) => el("span", {}, el("span", { class: `swatch ${name}` }), text);
  scale.style.background = `linear-gradient(90deg, ${ramp.filter((_, i) => i % 51 === 0)})`;
  $("legend").replaceChildren("asleep", scale, "always firing", swatch("dead", "dead: never fired"), swatch("lit", "your last request"));
}

export const kind = ({ path }) => path.replaceAll("Normalization", "Norm").split("+").join(" → ");

// What the strip of a layer shows; null where it is not counted by channel.
export function channelsOf({ per_channel: per, channels }) {
  return per ? { rates: per.values.map((n, i) => (n ? per.fired[i] / n : 0)), dead: new Set(channels?.dead_indices ?? []) } : null;
}

// Channel i in words; a baseline has its rate only.
export const told = (per, i, rate, n) => [`fires at ${percent(rate)} of its positions`, ...(per.max
  ? [`in ${short(per.fired_inputs[i])} of ${several(n)}`, `mean ${short(per.mean[i])}, largest ${short(per.max[i])}`] : [])];

function channelAt(event, { channels, canvas }) {
  const n = channels?.rates.length ?? 0;
  return n ? Math.min(n - 1, Math.max(0, Math.floor((event.offsetX / canvas.clientWidth) * n))) : null;
}

function words(layer) {
  const c = layer.channels;
  if (!layer.values) return ["", "no inputs yet"];
  if (layer.nonfinite) return ["bad", "✕ not finite"];
  if (!c) return ["", "counted by layer"];
  if (c.dead === null) return ["", "too few inputs"];
  if (layer.verdict === "dying") return ["bad", `✕ dying: ${c.dead} of ${c.total} dead`];
  if (c.dead) return ["warn", `▲ ${c.dead} dead`];
  return ["good", "✓ all alive"];
}

// Where elements of an input decide on shapes, and so on the steps, only layers that are counted are known.
function chain({ inputs, outputs }, layers) {
  const steps = [...layers, { name: "", path: "what the inputs' elements decide", shape: ["…"] }];
  return steps.map((s, i) => ({ ...s, shape: [1, ...s.shape], inputs: i ? [-i] : inputs, outputs: steps[i + 1] ? [-1 - i] : outputs }));
}

export class Picture {
  // `open(layer, channel)` is called for a click.
  constructor(open) {
    this.open = open;
    this.box = $("picture");
    this.rows = new Map(); // key -> what to draw
    new ResizeObserver(() => this.draw()).observe(this.box);
  }

  build(graph, metadata, activity) {
    const plan = lay(graph.steps.length ? graph : { ...graph, steps: chain(graph, activity.layers) }, metadata);
    const wide = Math.min(LANE, (LANE * MOST_LANES) / plan.lanes), isLayer = new Set(activity.layers.map(key)), tops = [0];
    this.rows.clear();
    for (const { step } of plan.rows) tops.push(tops.at(-1) + (isLayer.has(key(step)) ? TALL : LOW));
    const x = (lane) => (lane + 0.5) * wide, middle = (row) => tops[row] + LOW / 2;
    const lines = plan.rows.flatMap(({ lane, from }, row) => from.map((f) => {
      const a = x(plan.rows[f.row].lane), v = x(f.lane), b = x(lane), y0 = middle(f.row), y1 = middle(row);
      return svg("path", { d: `M${a} ${y0}C${a} ${y0 + 17} ${v} ${y0} ${v} ${y0 + 17}V${y1 - 17}C${v} ${y1} ${b} ${y1 - 17} ${b} ${y1}` });
    }));
    const dots = plan.rows.map(({ step, lane }, row) => svg("circle", { cx: x(lane), cy: middle(row), r: 5, class: step.kind }));
    const gutter = svg("svg", { class: "lanes", width: plan.lanes * wide, height: tops.at(-1), "aria-hidden": "true" }, lines, dots);
    this.box.replaceChildren(gutter, el("ol", {}, plan.rows.map(({ step }) => this.row(step, isLayer))));
  }

  row(step, isLayer) {
    const what = (text) => el("span", { class: "what" }, text);
    const name = el("span", { class: "name" }, el("bdi", {}, step.name)), sizes = el("span", { class: "dim sizes" }, shape(step.path || step.shape[0] < 0 ? step.shape.slice(1) : step.shape));
    if (!isLayer.has(key(step))) return el("li", { class: "low" }, what(step.path ? kind(step) : step.kind), name, sizes);
    const row = { verdict: el("span", { class: "chip" }), rest: el("span", { class: "dim" }) };
    const head = button("", () => this.open(row.layer, null), { class: "layer" });
    head.append(what(kind(step)), name, row.verdict, sizes, row.rest);
    row.canvas = el("canvas", { class: "strip", role: "img", onpointermove: (e) => this.point(e, row), onpointerleave: (e) => tip(e),
      onclick: (e) => this.open(row.layer, channelAt(e, row)) });
    this.rows.set(key(step), row);
    return el("li", { class: "tall" }, head, row.canvas);
  }

  point(event, row) {
    const i = channelAt(event, row), lit = this.lit?.get(row.layer.name);
    if (i === null) return;
    const { rates, dead } = row.channels;
    tip(event, `${row.layer.name}, channel ${i}${dead.has(i) ? ": dead" : ""}`, ...told(row.layer.per_channel, i, rates[i], this.inputs),
      ...(lit ? [`your last request: ${percent(lit[i])}`] : []));
  }

  // Activity as /activity?channels=1 has it.
  show(activity) {
    this.inputs = activity.inputs;
    for (const layer of activity.layers) {
      const row = this.rows.get(key(layer));
      if (!row) continue;
      row.layer = layer;
      row.channels = channelsOf(layer);
      const [mood, text] = layer.baseline ? ["", "baseline"] : words(layer);
      row.verdict.className = `chip ${mood}`;
      row.verdict.textContent = text;
      row.rest.textContent = `${percent(layer.sparsity)} zeros`;
      row.canvas.setAttribute("aria-label", `${layer.name}: firing rates of ${layer.channels?.total ?? 0} channels; ${text}`);
    }
    this.draw();
  }

  // Shares of one request: name -> [share], or null.
  light(lit) {
    this.lit = lit;
    this.draw();
  }

  draw() {
    for (const row of this.rows.values())
      if (row.channels && row.canvas.clientWidth) strip(row.canvas, row.channels.rates, row.channels.dead, this.lit?.get(row.layer.name));
  }
}
