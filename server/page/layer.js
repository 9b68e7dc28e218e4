// One layer, opened by a click: its channels as small images, in words, and as JSON.
import { $, button, copy, dim, el, percent, shape, short } from "./dom.js";
import { tiles } from "./heat.js";
import { channelsOf, kind, told } from "./picture.js";

function advice({ channels: c, values, verdict, baseline }) {
  if (baseline) return "How often each channel fired on the baseline's data.";
  if (!values) return "Nothing computed in this window.";
  if (!c) return "Counted by layer only: --activity unit says more.";
  if (c.dead === null) return "Too few different inputs: a rare channel would look dead.";
  const proven = `What was silent all the time fires in less than ${percent(c.dead_rate_upper, 2)} of inputs like these (95 % confidence).`;
  if (verdict === "dying")
    return `Dying: ${c.dead} of ${c.total} channels never fired. In training, a lower learning rate, He initialisation, BatchNorm or LeakyReLU helps. ${proven}`;
  if (c.dead) return `${c.dead} of ${c.total} channels never fired: “rectifier audit” counts what the network would save without them. ${proven}`;
  return verdict ? `Healthy: each of its ${c.total} channels fired.` : "Never quite silent below zero: no verdict is given.";
}

const facts = ({ sparsity, mean, std, max, channels: c, units, nonfinite }) => Object.entries({
  zeros: percent(sparsity), mean: short(mean), deviation: short(std), largest: short(max), "nearly dead": short(c?.near_dead),
  "always on": short(c?.always_on), "dead units": Number.isFinite(units?.dead) ? `${short(units.dead)} of ${short(units.total)}` : "–", "not finite": short(nonfinite),
}).filter(([, value]) => value !== "–");

// Height and width of a channel, and its dead units where the reply lists them.
function unitsOf(layer, n) {
  const [h, w] = layer.shape.length === 3 ? layer.shape.slice(1) : [1, layer.shape[1] ?? 1];
  const list = layer.units?.total === n * h * w ? layer.units.dead_indices ?? [] : [];
  return { h, w, dead: Map.groupBy(list, (unit) => Math.floor(unit / (h * w))) };
}

export class LayerView {
  constructor() {
    this.dialog = $("layer");
    this.dialog.addEventListener("click", (e) => { if (e.target === this.dialog) this.dialog.close(); });
  }

  // `channel`: the one to look at first, or null.
  show(layer, { inputs, window, channel }) {
    const channels = channelsOf(layer), list = (layer.channels?.dead_indices ?? []).join(", ");
    this.draw = null;
    this.dialog.replaceChildren(el("div", { class: "layer-body" },
      el("div", { class: "card-head" }, el("h2", { id: "layer-title" }, layer.name),
        button("✕", () => this.dialog.close(), { "aria-label": "Close" })),
      dim(`${kind(layer)} · ${shape(layer.shape)} · ${window}`),
      el("p", {}, advice(layer)),
      (layer.notes ?? []).map((note) => el("p", { class: "note" }, note)),
      el("dl", { class: "facts" }, facts(layer).map(([k, v]) => el("div", {}, el("dt", { class: "dim" }, k), el("dd", {}, v)))),
      channels && this.grid(layer, channels, inputs, channel),
      list && dim(`dead: ${list}`),
      el("div", { class: "row" }, list && button("Copy dead ones", (e) => copy(list, e.target)),
        button("Copy as JSON", (e) => copy(JSON.stringify(layer, null, 1), e.target)))));
    if (!this.dialog.open) this.dialog.showModal();
    this.draw?.();
  }

  // The channels from the busiest to the quietest.
  grid(layer, { rates, dead }, inputs, first) {
    const n = rates.length, size = n <= 40 ? 48 : n <= 160 ? 32 : n <= 700 ? 20 : 12;
    const units = unitsOf(layer, n), order = rates.map((_, i) => i).sort((a, b) => rates[b] - rates[a] || a - b);
    const canvas = el("canvas", { class: "grid", tabindex: 0, role: "img", "aria-label": `${n} channels; arrow keys move between them`,
      onclick: (e) => choose(Math.floor(e.offsetY / (size + 4)) * columns + Math.floor(e.offsetX / (size + 4))),
      onkeydown: (e) => {
        const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[e.key];
        if (!step) return;
        e.preventDefault();
        choose(chosen < 0 ? 0 : chosen + step);
      } });
    const line = el("p", { class: "dim", "aria-live": "polite" }, "A tile is a channel, the busiest first; red points in it: units that never fired.");
    let chosen = order.indexOf(first), columns = 1;
    const say = () => {
      const i = order[chosen];
      line.textContent = `Channel ${i}${dead.has(i) ? ", dead" : ""}: ${told(layer.per_channel, i, rates[i], inputs).join(", ")}`;
    };
    const choose = (place) => {
      if (place < 0 || place >= n) return;
      chosen = place;
      say();
      this.draw();
    };
    if (chosen >= 0) say();
    this.draw = () => { columns = tiles(canvas, order, rates, dead, units, size, chosen); };
    return [canvas, line];
  }
}
