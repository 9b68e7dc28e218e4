// For networks that read images of 8 x 8: a pad, probabilities, what one request did to the neurons, and the held-out
// images as traffic, corrupted where asked.
import { get, infer, npy } from "./api.js";
import { $, bar, button, dim, el, percent, tabs } from "./dom.js";
import { Pad } from "./pad.js";

const BATCH = 12; // images of a request of the test set

// What is sent of an image, at each of its places.
const HARM = {
  "as drawn": (image, i) => image[i],
  inverted: (image, i) => 1 - image[i],
  shifted: (image, i) => (i % 8 < 3 ? 0 : image[i - 3]),
  transposed: (image, i) => image[(i % 8) * 8 + Math.floor(i / 8)],
};
const harmed = (image, harm) => image.map((_, i) => HARM[harm](image, i));

export const fits = (metadata) => metadata.inputs.length === 1 && metadata.inputs[0].datatype === "FP32"
  && metadata.inputs[0].shape.slice(1).join() === "1,8,8" && metadata.outputs.length === 1;

// What of each channel fired between two readings.
function between(before, after) {
  const shares = new Map();
  after.layers.forEach((layer, k) => {
    const a = layer.per_channel, b = before.layers[k]?.per_channel;
    if (a && b) shares.set(layer.name, a.values.map((n, i) => (n > b.values[i] ? (a.fired[i] - b.fired[i]) / (n - b.values[i]) : 0)));
  });
  return shares;
}

export class Digits {
  // `light(shares)` shows a request on the picture.
  constructor(light) {
    this.light = light;
    this.turn = 0; // of the test images
    this.next = undefined; // an image that came while one was asked for
    this.pad = new Pad((image) => this.ask(image));
    this.pad.canvas.addEventListener("keydown", (e) => { if (/^\d$/.test(e.key)) this.example(Number(e.key)); });
    this.bars = el("ol", { class: "bars" });
    this.answer = el("p", { class: "answer", role: "status" });
    this.note = dim();
    this.harms = el("div", { class: "tabs", role: "group", "aria-label": "What is sent" });
    this.progress = el("progress", { max: 1, value: 0, "aria-label": "Test set sent", hidden: "" });
    this.send = button("Send the test set", () => this.traffic());
    $("digits").replaceChildren(
      el("div", { class: "drawing" }, this.pad.canvas, el("div", {}, this.answer, this.bars)),
      el("div", { class: "row" },
        button("Clear", () => this.clear()), button("A test image", () => this.example(null)),
        el("span", { class: "seen dim" }, this.pad.eye, "what is sent")),
      el("div", { class: "row" }, this.harms, this.send, this.progress), this.note);
    this.choose("as drawn");
  }

  use(model) {
    this.model = model;
    this.before = null;
    this.clear();
  }

  clear() {
    this.pad.take(null);
    this.light(null);
  }

  choose(harm) {
    this.harm = harm;
    tabs(this.harms, Object.keys(HARM).map((name) => [name, name]), harm, (value) => this.choose(value));
    this.ask(this.pad.image());
  }

  async images() {
    if (this.set) return this.set;
    const [images, labels] = await Promise.all([npy("page/test_images.npy"), npy("page/test_labels.npy")]);
    return this.set = labels.map((label, i) => ({ label, image: images.slice(64 * i, 64 * i + 64) }));
  }

  async example(digit) {
    try {
      const set = (await this.images()).filter(({ label }) => digit === null || label === digit);
      this.pad.take(set[this.turn++ % set.length].image);
    } catch (error) {
      this.say(error.message);
    }
  }

  say(text) { this.note.textContent = text; }

  body(images) {
    return JSON.stringify({ inputs: [{ name: this.model.input, shape: [images.length, 1, 8, 8], datatype: "FP32", data: images.flat() }] });
  }

  // One request at a time; of what comes meanwhile, the newest.
  async ask(image) {
    if (!this.model) return;
    this.next = image;
    if (this.busy) return;
    this.busy = true;
    while (this.next !== undefined) {
      const now = this.next && harmed(this.next, this.harm);
      this.next = undefined;
      this.pad.see(now);
      if (now) await this.look(now).catch((error) => this.say(error.message));
      else this.show(null);
    }
    this.busy = false;
  }

  async look(image) {
    const model = this.model, counts = `${model.path}/activity?channels=1`;
    this.before ??= await get(counts);
    const reply = await infer(model.infer, this.body([image]));
    const after = await get(counts);
    if (model !== this.model) return;
    const before = this.before;
    this.before = after;
    this.show(reply);
    const others = after.inputs - before.inputs - 1;
    if (others < 0) return; // loaded anew
    const lit = between(before, after);
    this.light(lit);
    this.say(!lit.size ? "" : others ? `Amber in the picture: your digit, among ${others} more that came meanwhile.`
      : "Amber in the picture is this digit alone: what it woke of each channel.");
  }

  show(reply) {
    const values = reply?.outputs[0].data ?? Array(10).fill(0), best = values.indexOf(Math.max(...values));
    this.answer.replaceChildren(...(reply ? [el("strong", {}, reply.parameters?.label ?? String(best)), ` ${percent(values[best])}`] : ["?"]));
    if (this.bars.children.length !== values.length) this.bars.replaceChildren(...values.map((_, i) => bar(String(i))));
    values.forEach((v, i) => this.bars.children[i].set(v, reply ? v.toFixed(2) : "", reply && i === best ? "best" : ""));
  }

  async traffic() {
    this.send.disabled = true;
    this.progress.hidden = false;
    try {
      const set = await this.images(), model = this.model;
      let right = 0;
      for (let i = 0; i < set.length; i += BATCH) {
        const some = set.slice(i, i + BATCH);
        const { outputs: [{ data }] } = await infer(model.infer, this.body(some.map(({ image }) => harmed(image, this.harm))));
        const wide = data.length / some.length;
        some.forEach(({ label }, k) => {
          const row = data.slice(k * wide, (k + 1) * wide);
          right += row.indexOf(Math.max(...row)) === label;
        });
        this.progress.value = (i + some.length) / set.length;
      }
      this.say(`${right} of ${set.length} held-out images read right (${percent(right / set.length)})${this.harm === "as drawn" ? "." : `, ${this.harm}. Watch the drift score: it knows no labels.`}`);
    } catch (error) {
      this.say(error.message);
    }
    this.before = null;
    this.send.disabled = false;
    this.progress.hidden = true;
  }
}
