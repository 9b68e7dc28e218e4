// Any model: a request as JSON, prefilled; or a file; and the same with curl.
import { address, infer } from "./api.js";
import { $, bar, button, copy, dim, el, percent, shape, short } from "./dom.js";

const MOST = 4096; // elements that are prefilled
const SHOWN = 20000; // characters of a reply
const CLASSES = 5;

const sizes = (input) => input.shape.map((n) => (n < 0 ? 1 : n));
const count = (input) => sizes(input).reduce((a, b) => a * b, 1);
const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function example(input, full) {
  const value = { FP: 0.5, BF: 0.5, BO: true }[input.datatype.slice(0, 2)] ?? 1;
  return { name: input.name, shape: sizes(input), datatype: input.datatype, data: Array(full ? count(input) : 0).fill(value) };
}

// Planes of colour or of grey: (v / 255 - mean) / std.
async function pixels(file, [channels, h, w], mean, std) {
  const g = new OffscreenCanvas(w, h).getContext("2d");
  g.drawImage(await createImageBitmap(file), 0, 0, w, h);
  const { data } = g.getImageData(0, 0, w, h), out = Array(channels * h * w);
  for (let i = 0; i < h * w; i++) {
    const rgb = data.subarray(4 * i, 4 * i + 3);
    (channels === 3 ? rgb : [0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]])
      .forEach((v, c) => { out[c * h * w + i] = (v / 255 - mean[c % mean.length]) / std[c % std.length]; });
  }
  return out;
}

export class Ask {
  constructor() {
    this.text = el("textarea", { rows: 9, spellcheck: "false", "aria-label": "Request, as JSON", oninput: () => this.line() });
    this.file = el("input", { type: "file", id: "file", accept: ".npy,.json,.png,.jpg,.jpeg", onchange: () => this.take(this.file.files[0]) });
    this.mean = el("input", { value: "0", "aria-label": "Mean of each plane" });
    this.std = el("input", { value: "1", "aria-label": "Deviation of each plane" });
    this.curl = el("pre", { tabindex: 0, "aria-label": "The same with curl" });
    this.result = el("div", { class: "result", role: "status" });
    $("ask").replaceChildren(this.text,
      el("div", { class: "row" }, button("Send", () => this.send(), { class: "main" }),
        button("Copy for curl", (e) => copy(this.curl.textContent, e.target))),
      el("div", { class: "drop", ondragover: (e) => e.preventDefault(), ondrop: (e) => { e.preventDefault(); this.take(e.dataTransfer.files[0]); } },
        el("label", { for: "file" }, "Drop a .npy, .json, .png or .jpg"), this.file),
      el("div", { class: "pixels dim" }, "Of pixels, take off", this.mean, "and divide by", this.std), this.curl, this.result);
  }

  use(model, { inputs }) {
    this.model = model;
    this.inputs = inputs;
    this.shapes = inputs.map((input) => shape(input.shape)).join(" and ");
    const total = inputs.reduce((n, input) => n + count(input), 0), few = total <= MOST;
    this.text.value = JSON.stringify({ inputs: inputs.map((input) => example(input, few)) });
    this.result.replaceChildren(few ? "" : dim(`${short(total)} elements are much to type: drop a file of ${this.shapes}.`));
    this.line();
  }

  line(file) {
    const text = this.text.value, url = (path) => `curl ${quote(address(path))}`;
    this.curl.textContent = file ? `${url(this.model.bytes)} --data-binary @${quote(file)}`
      : `${url(this.model.infer)} -d ${text.length > 1500 ? "@request.json" : quote(text)}`;
  }

  send() { return this.show(() => infer(this.model.infer, this.text.value)); }

  // `answer` gives the reply, or throws why there is none.
  async show(answer) {
    this.result.replaceChildren(dim("asking…"));
    const start = performance.now();
    try {
      const reply = await answer();
      this.result.replaceChildren(dim(`answered in ${(performance.now() - start).toFixed(1)} ms`), this.classes(reply),
        el("pre", { tabindex: 0, "aria-label": "Reply" }, JSON.stringify(reply).slice(0, SHOWN)));
    } catch (error) {
      this.result.replaceChildren(el("p", { class: "error" }, error.message));
    }
  }

  // The largest of a single row.
  classes({ outputs: [out] = [], parameters }) {
    if (out?.shape.length !== 2 || out.shape[0] !== 1 || out.shape[1] < 2) return "";
    const best = Array.from(out.data.entries()).sort(([, a], [, b]) => b - a).slice(0, CLASSES);
    const share = out.data.every((v) => v >= 0 && v <= 1), least = share ? 0 : best.at(-1)[1], span = share ? 1 : best[0][1] - least || 1;
    return el("ol", { class: "bars" }, best.map(([i, v], place) =>
      bar((place === 0 && parameters?.label) || String(i)).set((v - least) / span, share ? percent(v) : short(v), place ? "" : "best")));
  }

  async take(file) {
    if (!file) return;
    if (/\.json$/i.test(file.name)) {
      this.text.value = await file.text();
      this.line();
      await this.send();
    } else if (/\.npy$/i.test(file.name)) {
      this.line(file.name);
      await this.show(async () => infer(this.model.bytes, await file.arrayBuffer(), "application/x-npy"));
    } else {
      await this.show(() => this.picture(file));
    }
  }

  async picture(file) {
    const [input] = this.inputs, wanted = input.shape.slice(1).map((n, i) => (n < 0 && i ? 224 : n));
    if (this.inputs.length > 1 || wanted.length !== 3 || ![1, 3].includes(wanted[0]))
      throw new Error(`an image needs one input of 1 or 3 planes; this model has ${this.shapes}`);
    const [mean, std] = [this.mean, this.std].map(({ value }) => value.split(/[ ,;]+/).filter(Boolean).map(Number));
    if (![...mean, ...std].every(Number.isFinite) || !mean.length || !std.length || std.includes(0))
      throw new Error("mean and deviation: numbers, one or one a plane; no deviation 0");
    const data = await pixels(file, wanted, mean, std);
    return infer(this.model.infer, JSON.stringify({ inputs: [{ name: input.name, shape: [1, ...wanted], datatype: "FP32", data }] }));
  }
}
