// A pad to draw a digit on. The image is made as the data set's are: the strokes' box scaled to 32 x 32 pixels, in
// which each 4 x 4 block counts its ink.
import { el } from "./dom.js";

const SIZE = 280; // of the pad
const INK = "#ffe9b0";
const SIDE = 8, BLOCK = 4, FINE = 4; // cells; pixels of a cell; points of a pixel
const POINTS = SIDE * BLOCK * FINE;
const PEN = 4.4 * FINE; // of the data set's pens

// An image, or none, in squares of `size`.
function pixels(g, size, image) {
  g.fillStyle = "#0d1218";
  g.fillRect(0, 0, SIDE * size, SIDE * size);
  g.fillStyle = INK;
  image?.forEach((v, i) => {
    g.globalAlpha = v;
    g.fillRect((i % SIDE) * size, Math.floor(i / SIDE) * size, size, size);
  });
  g.globalAlpha = 1;
}

export class Pad {
  // `changed(image)` is called with 64 numbers from 0 to 1, or null.
  constructor(changed) {
    this.changed = changed;
    this.canvas = el("canvas", { class: "pad", width: SIZE, height: SIZE, tabindex: 0, role: "img", onpointerdown: (e) => this.begin(e),
      onpointermove: (e) => this.go(e), "aria-label": "Pad: draw a digit, or press 0 to 9 for a test image" });
    this.eye = el("canvas", { class: "eye", width: SIDE, height: SIDE, role: "img", "aria-label": "The 8 by 8 pixels that are sent" });
    this.strokes = [];
    this.given = null; // an image from elsewhere
  }

  begin(e) {
    if (this.given) this.take(null);
    this.canvas.setPointerCapture(e.pointerId);
    this.strokes.push([this.at(e)]);
    this.update();
  }

  go(e) {
    if (!this.canvas.hasPointerCapture(e.pointerId)) return;
    this.strokes.at(-1).push(this.at(e));
    this.update();
  }

  at(e) {
    const scale = SIZE / this.canvas.clientWidth;
    return [e.offsetX * scale, e.offsetY * scale];
  }

  // An image, or null to begin again.
  take(image) {
    this.strokes = [];
    this.given = image;
    this.update();
  }

  update() {
    this.draw();
    this.changed(this.image());
  }

  draw() {
    const g = this.canvas.getContext("2d");
    pixels(g, SIZE / SIDE, this.given);
    if (!this.given && !this.strokes.length) {
      g.fillStyle = "#8d9aa6";
      g.font = "15px system-ui, sans-serif";
      g.textAlign = "center";
      g.fillText("draw a digit here", SIZE / 2, SIZE / 2 + 5);
    }
    this.trace(g, 22, INK, (p) => p);
  }

  // What is sent, as it is.
  see(image) { pixels(this.eye.getContext("2d"), 1, image); }

  trace(g, width, ink, map) {
    g.lineWidth = width;
    g.lineCap = g.lineJoin = "round";
    g.strokeStyle = ink;
    for (const stroke of this.strokes) {
      g.beginPath();
      stroke.forEach((p, i) => (i ? g.lineTo(...map(p)) : g.moveTo(...map(p))));
      if (stroke.length === 1) g.lineTo(...map(stroke[0]));
      g.stroke();
    }
  }

  image() {
    if (this.given) return this.given;
    const points = this.strokes.flat();
    if (points.length < 3) return null;
    const xs = points.map((p) => p[0]), ys = points.map((p) => p[1]);
    const left = Math.min(...xs), top = Math.min(...ys), w = Math.max(...xs) - left, h = Math.max(...ys) - top;
    const room = POINTS - PEN, scale = Math.min(room / Math.max(h, 1), room / Math.max(w, 1), 4);
    const dx = (POINTS - w * scale) / 2, dy = (POINTS - h * scale) / 2;
    const g = new OffscreenCanvas(POINTS, POINTS).getContext("2d", { willReadFrequently: true });
    this.trace(g, PEN, "#fff", ([x, y]) => [(x - left) * scale + dx, (y - top) * scale + dy]);
    const ink = g.getImageData(0, 0, POINTS, POINTS).data, side = BLOCK * FINE;
    return Array.from({ length: SIDE * SIDE }, (_, cell) => {
      let sum = 0;
      for (let y = 0; y < side; y++)
        for (let x = 0; x < side; x++)
          sum += ink[(((Math.floor(cell / SIDE) * side + y) * POINTS) + (cell % SIDE) * side + x) * 4 + 3];
      return Math.round((16 * sum) / (255 * side * side)) / 16;
    });
  }
}
