// What is looked at, and when: every two seconds, and never while the page is hidden.
import { Failure, get, metrics, models } from "./api.js";
import { Ask } from "./ask.js";
import { Digits, fits } from "./digits.js";
import { $, el, several, short, tabs } from "./dom.js";
import { Drift } from "./drift.js";
import { LayerView } from "./layer.js";
import { Overview } from "./overview.js";
import { Picture, legend } from "./picture.js";

const PAUSE = 2000; // ms between two looks
const WINDOWS = { load: "since load", "5m": "last 5 min", baseline: "baseline" };

const overview = new Overview(), drift = new Drift(), view = new LayerView(), asking = new Ask();
const picture = new Picture(openLayer), digits = new Digits((lit) => picture.light(lit));
let list = [], model = null, activity = null, baseline = null, chosen = "load", timer = 0, looking = false;

// A baseline as if it were a window: the share of positions that fired, channel by channel.
function fromBaseline() {
  const firing = new Map(baseline.layers.map((l) => [l.name, l.firing?.mean ?? []]));
  const layers = activity.layers.map(({ name, path, shape }) => {
    const rates = firing.get(name) ?? [];
    return { name, path, shape, baseline: true, sparsity: 1 - rates.reduce((a, b) => a + b, 0) / rates.length,
      channels: { total: rates.length }, per_channel: { values: rates.map(() => 1), fired: rates } };
  });
  return { inputs: baseline.inputs, layers };
}

function note({ inputs, distinct_inputs: distinct, layers }) {
  if (!layers.length) return "Nothing to watch: no activation of known shape falls silent, or --activity is off.";
  if (chosen === "baseline") return `The ${several(inputs)} of the baseline (${baseline.source}).`;
  if (!inputs) return "No input yet: send one, and see what it wakes.";
  const seen = `${several(inputs)} (${WINDOWS[chosen]})`; // not counted by layer
  return distinct ? `${seen}, ${short(distinct)} different. A column is a channel; click for more.` : seen;
}

function showPicture() {
  const shown = chosen === "baseline" ? fromBaseline() : activity;
  picture.show(shown);
  $("network-note").textContent = note(shown);
  $("legend").hidden = !shown.layers.length;
}

function chooseWindow(window) {
  chosen = window === "baseline" && !baseline ? "load" : window;
  tabs($("window"), Object.entries(WINDOWS).filter(([key]) => key !== "baseline" || baseline), chosen, (next) => {
    chooseWindow(next);
    look();
  });
}

async function openLayer(layer, channel) {
  let known = { inputs: activity.inputs, layers: [layer] };
  if (!layer.baseline) // with its units
    known = await get(`${model.path}/activity?window=${chosen}&channels=1&units=1&layer=${encodeURIComponent(layer.name)}`).catch(() => known);
  view.show(known.layers[0], { inputs: known.inputs, window: WINDOWS[chosen], channel });
}

async function useModel(next) {
  const [metadata, graph, now] = await Promise.all([get(next.path), get(`${next.path}/graph`), get(`${next.path}/activity?channels=1`)]);
  baseline = now.drift && (await get(`${next.path}/activity/baseline`));
  model = { ...next, input: metadata.inputs[0]?.name };
  activity = now;
  overview.clear();
  drift.clear();
  picture.light(null);
  picture.build(graph, metadata, now);
  document.title = `${model.name} · Rectifier`;
  asking.use(model, metadata);
  const drawable = fits(metadata);
  if (drawable) digits.use(model);
  chooseTry(drawable ? "digits" : "ask", drawable);
  chooseWindow(chosen);
  showPicture();
  showList();
}

function showList() {
  $("model").replaceChildren(...list.map(({ name, version }) => el("option", {}, `${name} · ${version}`)));
  $("model").selectedIndex = list.findIndex((m) => m.path === model?.path);
}

function chooseTry(way, drawable) {
  tabs($("try-tabs"), [["digits", "draw"], ["ask", "JSON or a file"]], way, (next) => chooseTry(next, drawable));
  $("try-tabs").hidden = !drawable;
  $("digits").hidden = way !== "digits";
  $("ask").hidden = way !== "ask";
}

function chip(mood, text) {
  $("ready").className = `chip ${mood}`;
  $("ready").textContent = text;
}

async function lookOnce() {
  const [ready, found] = await Promise.all([
    get("v2/health/ready").catch((error) => { if (error.status !== 503) throw error; }), models()]);
  chip(...(ready ? ["good", "✓ ready"] : ["warn", "▲ not ready"]));
  if (JSON.stringify(found) !== JSON.stringify(list)) {
    list = found;
    showList();
  }
  if (!list.some((m) => m.path === model?.path)) {
    if (!list.length) throw new Failure(503, "no model is served yet");
    await useModel(list[0]);
    const { version, isa } = await get("v2");
    $("version").textContent = version;
    overview.set("isa", isa);
  }
  const of = model, window = chosen === "baseline" ? "load" : chosen;
  const [now, samples] = await Promise.all([
    get(`${of.path}/activity?channels=1&window=${window}`), metrics("rectifier_inference", "rectifier_threads", "process_resident")]);
  if (of !== model) return;
  activity = now;
  showPicture();
  drift.show(activity.drift, model);
  overview.add(samples, model);
}

async function look() {
  clearTimeout(timer);
  if (looking) return;
  looking = true;
  await attempt(lookOnce);
  looking = false;
  if (!document.hidden) timer = setTimeout(look, PAUSE);
}

// The banner says what went wrong.
async function attempt(work) {
  const banner = $("offline");
  try {
    await work();
    banner.hidden = true;
  } catch (error) {
    if (!(error instanceof Failure)) console.error(error);
    if (error.status === 0) chip("bad", "✕ offline");
    banner.textContent = error.status === 0 ? `The server does not answer: ${error.message}. Looking again; what is below is old.`
      : `The server says: ${error.message}`;
    banner.hidden = false;
  }
}

$("model").addEventListener("change", () => attempt(() => useModel(list[$("model").selectedIndex])).then(look));
document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : look()));
// Beside a long picture the side stays in view, or the end of it.
new ResizeObserver(([{ target }]) => { target.style.top = `${Math.min(16, innerHeight - target.offsetHeight - 16)}px`; }).observe($("side"));
legend();
look();
