// How far the inputs of now are from the baseline's, and how that went since the page was opened.
import { address } from "./api.js";
import { $, bar, curve, dim, el, svg } from "./dom.js";

const KEEP = 200; // points of the line
const WIDE = 300, HIGH = 120;
const WARN = 0.25, ALARM = 0.5;
const STATES = { ok: ["good", "✓ ok"], warn: ["warn", "▲ moving"], alarm: ["bad", "✕ drift"] };

export class Drift {
  clear() { this.history = []; }

  show(drift, model) {
    const chip = $("drift-state");
    if (!drift) {
      chip.className = "chip";
      chip.textContent = "no baseline";
      $("drift").replaceChildren(
        el("p", {}, "A baseline tells what inputs the network was checked on."),
        dim("From held-out data, found beside the model at the start:"),
        el("pre", {}, "rectifier audit MODEL heldout.npy --write-baseline baseline.json"),
        dim("From the traffic of the last minutes, on this server only:"),
        el("pre", {}, `curl -X POST ${address(`${model.path}/activity/baseline`)}`));
      return;
    }
    const known = drift.score !== null;
    const [mood, text] = known || drift.state !== "ok" ? STATES[drift.state] : ["", `${drift.n} of 200 inputs`];
    chip.className = `chip ${mood}`;
    chip.textContent = text;
    this.history.push(known ? drift.score : NaN);
    if (this.history.length > KEEP) this.history.shift();
    $("drift").replaceChildren(
      dim(el("strong", {}, known ? drift.score.toFixed(2) : "–"), " standard deviations from the baseline, in the layer that moved most"),
      this.chart(), this.bars(drift),
      dim(`The newest ${drift.n} inputs against the ${drift.baseline_n} of the baseline.`
        + (drift.mix_notice ? " Classes come in other shares; the score allows for that." : "")));
  }

  chart() {
    const top = Math.max(1, ...this.history.filter((v) => v > 0));
    const y = (v) => HIGH - 6 - ((HIGH - 12) * Math.log1p(v * 10)) / Math.log1p(top * 10); // small scores matter most
    const line = (v, mood) => svg("line", { x1: 0, x2: WIDE, y1: y(v), y2: y(v), class: mood, "vector-effect": "non-scaling-stroke" });
    const about = `Drift score over time; warning at ${WARN}, alarm at ${ALARM}`;
    const chart = svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", width: "80%" },
      line(WARN, "warn"), line(ALARM, "bad"), curve(this.history, WIDE, y));
    const label = (v, name, down) => svg("text", { x: "82%", y: y(v) + down }, `${name} ${v}`);
    return svg("svg", { class: "plot", role: "img", "aria-label": about }, chart, label(WARN, "warn", 7), label(ALARM, "alarm", 0));
  }

  bars(drift) {
    const top = Math.max(1, ...drift.layers.map((l) => l.score ?? 0));
    return el("ul", { class: "bars" }, drift.layers.map(({ name, score }) =>
      bar(name).set(score / top, score?.toFixed(2) ?? "–", score > ALARM ? "bad" : score > WARN ? "warn" : "good")));
  }
}
