// Elements and numbers. Text is set as text only: names come from outside.

const FEW = 30; // steps of a line; as many fill its width

export const $ = (id) => document.getElementById(id);

function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value);
  }
  node.append(...children.flat().filter(Boolean));
  return node;
}

export const el = (name, attributes = {}, ...children) => fill(document.createElement(name), attributes, children);

export const svg = (name, attributes = {}, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);

export const dim = (...children) => el("p", { class: "dim" }, ...children);

export const button = (text, onclick, more) => el("button", { type: "button", onclick, ...more }, text);

// A row of a chart; `set(share, number, class)` fills it.
export function bar(name) {
  const fill = el("span"), number = el("span", { class: "num" });
  const row = el("li", {}, el("span", { class: "name" }, el("bdi", {}, name)), el("span", { class: "track" }, fill), number);
  row.set = (share, text, mood = "") => {
    fill.style.width = `${100 * Math.max(0, share)}%`;
    fill.className = `bar ${mood}`;
    number.textContent = text;
    return row;
  };
  return row;
}

// A line through values, the newest at the right end; it stops where they are not known.
export function curve(values, wide, y) {
  const step = wide / Math.max(FEW, values.length - 1), left = wide - step * (values.length - 1);
  const d = values.map((v, i) => (Number.isNaN(v) ? "" : `${values[i - 1] >= 0 ? "L" : "M"}${(left + i * step).toFixed(1)} ${y(v).toFixed(1)}h-.1`));
  return svg("path", { d: d.join(""), "vector-effect": "non-scaling-stroke" });
}

// Buttons of which one is chosen: entries of [value, text].
export function tabs(box, entries, chosen, choose) {
  box.replaceChildren(...entries.map(([value, text]) => button(text, () => choose(value), { "aria-pressed": String(value === chosen) })));
}

export function percent(share, digits = 1) {
  return Number.isFinite(share) ? `${(100 * share).toFixed(digits)} %` : "–";
}

export function short(value) {
  if (!Number.isFinite(value)) return "–";
  if (Math.abs(value) >= 1e6) return `${(value / 1e6).toFixed(1)} M`;
  return Number.isInteger(value) ? value.toLocaleString("en") : String(Number(value.toPrecision(2)));
}

export function time(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  return seconds < 1e-3 ? `${(seconds * 1e6).toFixed(0)} µs` : seconds < 1 ? `${(seconds * 1e3).toFixed(1)} ms` : `${seconds.toFixed(1)} s`;
}

export const several = (n) => `${short(n)} input${n === 1 ? "" : "s"}`;

export const shape = (sizes) => sizes.map((n) => (n < 0 ? "?" : n)).join(" × ") || "1";

// navigator.clipboard wants TLS.
export function copy(text, button) {
  const area = el("textarea");
  area.value = text;
  button.after(area);
  area.select();
  document.execCommand("copy");
  area.remove();
  button.focus();
  button.animate([{ background: "#59cbc2" }, {}], 900);
}

// The note beside the pointer.
export function tip(event, ...lines) {
  const box = $("tip");
  box.hidden = !lines.length;
  if (box.hidden) return;
  box.replaceChildren(...lines.map((line, i) => el(i ? "div" : "strong", {}, line)));
  box.style.left = `${Math.max(8, Math.min(event.clientX + 14, innerWidth - box.offsetWidth - 8))}px`;
  box.style.top = `${Math.min(event.clientY + 18, innerHeight - box.offsetHeight - 8)}px`;
}
