// The network as a picture: its steps from input to output, and of every activation its channels, one column each,
// coloured by how often they fired.
import { $, button, el, percent, shape, short, svg, tip } from "./dom.js";
import { ramp, strip } from "./heat.js";
import { lay } from "./lanes.js";

const TALL = 78, LOW = 34; // px, of rows with and without a strip
const LANE = 16, MOST_LANES = 8;

const key = ({ name, path }) => `${name}\n${path}`; // of a step and of the layer that it is

export function legend() {
  const scale = el("canvas", { width: 256, height: 1, "aria-hidden": "true" });
  const g = scale.getContext("2d"), swatch = (name) => el("span", { class: `swatch ${name}` });
  ramp.forEach((c, i) => { g.fillStyle = c; g.fillRect(i, 0, 1, 1); });
  $("legend").replaceChildren("asleep", scale, "always firing", swatch("dead"), "dead: never fired", swatch("lit"), "your last request");
}

// What the strip of a layer shows; null where it is not counted by channel.
export function channelsOf({ per_channel: per, channels }) {
  return per ? { rates: per.values.map((n, i) => (n ? per.fired[i] / n : 0)), dead: new Set(channels?.dead_indices ?? []) } : null;
}

// Channel i in words; a baseline has its rate only.
export const told = (per, i, rate, inputs) => [`fires at ${percent(rate)} of its positions`, ...(per.max
  ? [`in ${short(per.fired_inputs[i])} of ${short(inputs)} inputs`, `mean ${short(per.mean[i])}, largest ${short(per.max[i])}`] : [])];

function channelAt(event, { channels, canvas }) {
  const n = channels?.rates.length ?? 0;
  return n ? Math.min(n - 1, Math.max(0, Math.floor((event.offsetX / canvas.clientWidth) * n))) : null;
}

function words(layer, inputs) {
  const c = layer.channels;
  if (!layer.values) return ["", "no inputs yet"];
  if (!c) return ["", "counted by layer"];
  if (c.dead === null) return ["", `${short(inputs)} inputs: too few`];
  if (layer.verdict === "dying") return ["bad", `✕ dying: ${c.dead} of ${c.total} dead`];
  if (c.dead) return ["warn", `▲ ${c.dead} dead`];
  return ["good", "✓ all alive"];
}

export class Picture {
  // `open(layer, channel)` is called for a click.
  constructor(open) {
    this.open = open;
    this.box = $("picture");
    this.rows = new Map(); // key -> what to draw
    new ResizeObserver(() => this.draw()).observe(this.box);
  }

  // A model's steps; layers that have none stand by themselves.
  build(graph, metadata, activity) {
    const steps = graph.steps.length ? graph.steps
      : activity.layers.map((l, i) => ({ name: l.name, path: l.path, shape: [1, ...l.shape], inputs: [i], outputs: [i + 1] }));
    const plan = lay({ steps }, metadata.inputs, metadata.outputs);
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
    const name = el("span", { class: "name" }, step.name), sizes = el("span", { class: "dim sizes" }, shape(step.shape.slice(1)));
    if (!isLayer.has(key(step))) return el("li", { class: "low" }, what(step.kind === "step" ? step.path : step.kind), name, sizes);
    const row = { verdict: el("span", { class: "chip" }), rest: el("span", { class: "dim" }) };
    const head = button("", () => this.open(row.layer, null), { class: "layer" });
    head.append(what(step.path.split("+").join(" → ")), name, row.verdict, sizes, row.rest);
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
      const [mood, text] = layer.baseline ? ["", "baseline"] : words(layer, Math.min(activity.inputs, activity.distinct_inputs));
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
