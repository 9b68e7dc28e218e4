// What the server does: the numbers of /metrics over the last minutes.
import { $, curve, el, short, svg, time } from "./dom.js";

const KEEP = 120; // points of a line
const TILES = { rate: "Requests / s", p50: "Latency, p50", p99: "Latency, p99", rows: "Rows", waiting: "Waiting", threads: "Threads",
  isa: "ISA", memory: "Memory" };

// The value below which a share of what a histogram's buckets [le, count] hold lies; NaN when it is empty.
function quantile(buckets, share) {
  const wanted = share * (buckets.at(-1)?.[1] ?? 0);
  let below = 0, low = 0;
  for (const [le, count] of buckets) {
    if (wanted && count >= wanted) return le === Infinity ? low : low + ((le - low) * (wanted - below)) / (count - below);
    [low, below] = [le, count];
  }
  return NaN;
}

export class Overview {
  constructor() {
    this.values = {};
    this.lines = {};
    this.clear();
    $("overview").replaceChildren(...Object.entries(TILES).map(([key, title]) => {
      this.values[key] = el("strong", {}, "–");
      if (key in this.history)
        this.lines[key] = svg("svg", { class: "spark", viewBox: "0 0 120 30", preserveAspectRatio: "none", "aria-hidden": "true" });
      return el("div", { class: "tile" }, el("span", { class: "dim" }, title), this.values[key], this.lines[key]);
    }));
  }

  clear() {
    this.last = null;
    this.history = { rate: [], p50: [], p99: [] };
    for (const key in this.lines) {
      this.lines[key].replaceChildren();
      this.set(key, "–");
    }
  }

  set(key, text) { this.values[key].textContent = text; }

  // Samples of /metrics for one model.
  add(samples, model) {
    const mine = samples.filter(({ labels }) => labels.model === model.name && labels.version === model.version);
    const sum = (name) => mine.reduce((n, s) => (s.name === name ? n + s.value : n), 0);
    const plain = (name) => samples.find((s) => s.name === name)?.value;
    const now = {
      at: performance.now() / 1000,
      ended: sum("rectifier_inference_requests_total"),
      buckets: mine.filter((s) => s.name === "rectifier_inference_duration_seconds_bucket")
        .map((s) => [s.labels.le === "+Inf" ? Infinity : Number(s.labels.le), s.value]),
    };
    this.set("rows", short(sum("rectifier_inference_rows_total")));
    this.set("waiting", short(sum("rectifier_inference_pending_requests")));
    this.set("threads", short(plain("rectifier_threads")));
    const bytes = plain("process_resident_memory_bytes");
    this.set("memory", bytes ? `${(bytes / 1e6).toFixed(0)} MB` : "–");
    const before = this.last;
    this.last = now;
    if (!before || now.ended < before.ended) return; // the first look, or loaded anew
    const buckets = now.buckets.map(([le, count], i) => [le, count - (before.buckets[i]?.[1] ?? 0)]);
    this.push("rate", (now.ended - before.ended) / (now.at - before.at), (v) => v.toFixed(v < 10 ? 1 : 0));
    this.push("p50", quantile(buckets, 0.5), time);
    this.push("p99", quantile(buckets, 0.99), time);
  }

  // A pause shows the last value there was.
  push(key, value, format) {
    const list = this.history[key];
    list.push(value);
    if (list.length > KEEP) list.shift();
    const shown = Number.isNaN(value) ? list.findLast((v) => !Number.isNaN(v)) : value;
    this.set(key, format(shown));
    const top = Math.max(...list.filter((v) => v > 0), 1e-9);
    this.lines[key].replaceChildren(curve(list, 120, (v) => 28 - (26 * v) / top));
  }
}
