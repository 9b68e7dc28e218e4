// Chromium with the page open, and an ear for what goes wrong in it.
import { createRequire } from "node:module";
import path from "node:path";

const modules = createRequire(path.resolve(process.env.RECTIFIER_PAGE_MODULES, "package.json"));
export const axe = modules.resolve("axe-core/axe.min.js");
const { chromium } = modules("playwright-core");

const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];
const PATIENCE = 60000 * Number(process.env.RECTIFIER_TEST_SLOWNESS ?? 1);

export const browser = await chromium.launch({ executablePath: process.env.RECTIFIER_CHROMIUM, args: FLAGS });

// Calls work(page); fails on any error of the page that `expected` does not match.
export async function open(url, work, { width = 1280, height = 1000, theme = "dark", expected = /^$/, before } = {}) {
  const wrong = [];
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: theme, reducedMotion: "reduce" });
  context.setDefaultTimeout(PATIENCE);
  try {
    const page = await context.newPage();
    page.on("console", (line) => { if (line.type() === "error" || line.type() === "warning") wrong.push(line.text()); });
    page.on("pageerror", (error) => wrong.push(String(error)));
    page.on("dialog", (dialog) => { wrong.push(`a dialog: ${dialog.message()}`); dialog.dismiss(); });
    await page.addInitScript(() => document.addEventListener("securitypolicyviolation", (e) => console.error(`CSP: ${e.violatedDirective} ${e.blockedURI}`)));
    await before?.(page);
    await page.goto(url);
    await work(page);
  } finally {
    await context.close();
  }
  const errors = wrong.filter((text) => !expected.test(text));
  if (errors.length) throw new Error(`errors in the page:\n${errors.join("\n")}`);
}

export const ready = (page) => page.locator("button.layer").first().waitFor();

// Draws strokes of points between 0 and 1 on the pad.
export async function draw(page, ...strokes) {
  const box = await page.locator(".pad").boundingBox();
  for (const stroke of strokes)
    for (const [i, [x, y]] of stroke.entries()) {
      await page.mouse.move(box.x + x * box.width, box.y + y * box.height, { steps: 5 });
      if (i === 0) await page.mouse.down();
      if (i === stroke.length - 1) await page.mouse.up();
    }
}

export const SEVEN = [[0.25, 0.2], [0.75, 0.2], [0.45, 0.85]];
export const THREE = [[0.3, 0.2], [0.5, 0.12], [0.7, 0.25], [0.6, 0.42], [0.45, 0.47], [0.65, 0.55], [0.72, 0.72], [0.5, 0.88], [0.28, 0.8]];
