// Colours: how often something fired, from dark blue to pale yellow. Luminance grows all the way, so the scale reads
// without colour; what is dead is red and hatched, which the scale never is.

const STOPS = [[22, 33, 62], [33, 74, 122], [28, 125, 140], [108, 186, 108], [218, 212, 92], [255, 244, 182]];
const DEAD = "#e5173f";

export const ramp = Array.from({ length: 256 }, (_, i) => {
  const at = (i / 255) * (STOPS.length - 1);
  const k = Math.min(STOPS.length - 2, Math.floor(at));
  const [r, g, b] = STOPS[k].map((v, c) => Math.round(v + (STOPS[k + 1][c] - v) * (at - k)));
  return `rgb(${r} ${g} ${b})`;
});

export const colour = (share) => ramp[Math.round(255 * share)];

export function hatch(g, x, y, w, h) {
  g.save();
  g.beginPath();
  g.rect(x, y, w, h);
  g.clip();
  g.fillStyle = DEAD;
  g.fillRect(x, y, w, h);
  g.strokeStyle = "#fff";
  g.lineWidth = 1.4;
  g.beginPath();
  for (let d = -h; w > 3 && d < w + h; d += 5) {
    g.moveTo(x + d, y + h);
    g.lineTo(x + d + h, y);
  }
  g.stroke();
  g.restore();
}

// Sizes the canvas to its box and gives its context, in CSS pixels.
export function fit(canvas) {
  const scale = Math.min(3, devicePixelRatio || 1);
  const w = canvas.clientWidth, h = canvas.clientHeight;
  canvas.width = Math.round(w * scale);
  canvas.height = Math.round(h * scale);
  const g = canvas.getContext("2d");
  g.scale(scale, scale);
  return { g, w, h };
}

const MARK = 6; // px below the strip, for the marks of dead channels

// One column a channel. `dead`: indices; `lit`: shares of one request, or none.
export function strip(canvas, rates, dead, lit) {
  const { g, w, h } = fit(canvas);
  const n = rates.length;
  const high = h - MARK, split = lit ? Math.round(high * 0.55) : high;
  const step = w / n, gap = step >= 5 ? 1 : 0;
  for (let i = 0; i < n; i++) {
    const x = i * step, wide = Math.max(step - gap, 0.6);
    g.fillStyle = colour(rates[i]);
    g.fillRect(x, 0, wide, split);
    if (!lit) continue;
    for (const ink of ["#10151c", `rgb(255 190 64 / ${lit[i] && 0.12 + 0.88 * lit[i]})`]) {
      g.fillStyle = ink;
      g.fillRect(x, split + 2, wide, high - split - 2);
    }
  }
  for (const i of dead) {
    const wide = Math.max(step - gap, 4), x = Math.min(i * step, w - wide);
    hatch(g, x, 0, wide, split);
    g.fillStyle = DEAD;
    g.beginPath();
    g.moveTo(x + wide / 2, high + 1);
    g.lineTo(x + wide / 2 + 4, h);
    g.lineTo(x + wide / 2 - 4, h);
    g.fill();
  }
}

// A small image for each channel, its units alive or dead; in the order given.
export function tiles(canvas, order, rates, dead, units, size, chosen) {
  const { h, w } = units;
  const columns = Math.max(1, Math.floor((canvas.clientWidth + 4) / (size + 4)));
  canvas.style.height = `${Math.ceil(order.length / columns) * (size + 4)}px`;
  const { g } = fit(canvas);
  order.forEach((channel, place) => {
    const x = (place % columns) * (size + 4), y = Math.floor(place / columns) * (size + 4);
    if (dead.has(channel)) {
      hatch(g, x, y, size, size);
    } else {
      g.fillStyle = colour(rates[channel]);
      g.fillRect(x, y, size, size);
      for (const unit of units.dead.get(channel) ?? [])
        hatch(g, x + ((unit % w) * size) / w, y + (Math.floor((unit % (w * h)) / w) * size) / h, Math.max(size / w, 1), Math.max(size / h, 1));
    }
    if (place !== chosen) return;
    g.strokeStyle = getComputedStyle(canvas).color;
    g.lineWidth = 2;
    g.strokeRect(x - 1, y - 1, size + 2, size + 2);
  });
  return columns;
}
