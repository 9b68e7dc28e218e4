// node cases.mjs URL CASE[=ARGUMENT]...: things that the page must do; exit code 1, and why, if it does not.
import assert from "node:assert/strict";
import { axe, browser, draw, open, ready, SEVEN, THREE } from "./browser.mjs";

const says = (page, selector, pattern) => page.locator(selector).filter({ hasText: pattern }).first().waitFor();

// Whether the dead's red is in the column of each channel of a strip.
const redColumns = (canvas) => canvas.evaluate((c, n) => {
  const { data } = c.getContext("2d").getImageData(0, 0, c.width, c.height);
  const wide = c.width / n, red = [];
  for (let i = 0; i < n; i++) {
    let seen = false;
    for (let y = 2; y < c.height / 3; y++)
      for (let x = Math.ceil(i * wide) + 2; x < (i + 1) * wide - 2; x++) {
        const at = 4 * (y * c.width + x);
        seen ||= data[at] > 200 && data[at + 1] < 60 && data[at + 2] < 90;
      }
    if (seen) red.push(i);
  }
  return red;
}, 32);

const cases = {
  digits: (url) => open(url, async (page) => {
    await ready(page);
    await draw(page, SEVEN);
    await says(page, ".answer", /^7 \d/);
    await says(page, "#digits", /is this digit alone/);
    await page.getByRole("button", { name: "Clear" }).click();
    await says(page, ".answer", /^\?$/);
    await draw(page, THREE);
    await says(page, ".answer", /^3 \d/);
    await page.getByRole("button", { name: "JSON or a file" }).click();
    await page.getByRole("button", { name: "Send", exact: true }).click();
    await says(page, ".result", /"probabilities"/);
    await page.getByLabel("Request, as JSON").fill('{"inputs": []}');
    await page.getByRole("button", { name: "Send", exact: true }).click();
    await says(page, ".result .error", /./);
  }, { expected: /status of 400/ }),

  // ARGUMENT: a file, and what is said of it.
  file: (url, argument) => open(url, async (page) => {
    const [file, answer] = JSON.parse(argument);
    await ready(page);
    await page.getByRole("button", { name: "JSON or a file" }).click();
    await page.locator("#file").setInputFiles(file);
    await says(page, ".result", answer);
  }, { expected: /status of 400/ }),

  // ARGUMENT: a picture of rows black and white in turns, as large as the input.
  pixels: (url, file) => open(url, async (page) => {
    await ready(page);
    await page.getByRole("button", { name: "JSON or a file" }).click();
    await page.getByLabel("Mean of each plane").fill("0.25");
    await page.getByLabel("Deviation of each plane").fill("0.5");
    const [request] = await Promise.all([page.waitForRequest(/\/infer$/), page.locator("#file").setInputFiles(file)]);
    const [{ shape, data }] = request.postDataJSON().inputs;
    assert.deepEqual([shape, data], [[1, 1, 8, 8], Array.from({ length: 64 }, (_, i) => (Math.floor(i / 8) % 2 ? 1.5 : -0.5))]);
    await says(page, ".result", /"shape":\[1,10\]/);
  }),

  hover: (url) => open(url, async (page) => {
    await ready(page);
    const strip = page.locator(".strip").first(), { width } = await strip.boundingBox();
    const counts = await page.evaluate(async () => (await fetch("v2/models/digits/activity?channels=1")).json());
    const { values, fired } = counts.layers[0].per_channel;
    await strip.hover({ position: { x: (width * 3.5) / 16, y: 5 } });
    await says(page, "#tip", "features.2, channel 3");
    await says(page, "#tip", `fires at ${((100 * fired[3]) / values[3]).toFixed(1)} %`);
    await page.mouse.move(0, 0);
    await page.locator("#tip").waitFor({ state: "hidden" });
    await strip.click({ position: { x: (width * 3.5) / 16, y: 5 } });
    await says(page, "dialog", /Channel 3: fires/);
  }),

  // Another model: its own picture, its own ways to ask.
  choice: (url) => open(url, async (page) => {
    await ready(page);
    await page.locator("#digits").waitFor();
    await page.getByLabel("Model").selectOption("hostile · 1");
    await page.locator("#digits").waitFor({ state: "hidden" });
    await page.getByRole("button", { name: "Send", exact: true }).click();
    await says(page, ".result", /"model_name":"hostile"/);
    await says(page, "#network-note", /^1 input \(since load\)/);
    await says(page, "#drift-state", "no baseline");
    await page.getByRole("button", { name: "last 5 min" }).click();
    await says(page, "#network-note", /^1 input \(last 5 min\)/);
    await page.getByLabel("Model").selectOption("digits · 1");
    await page.locator("#digits").waitFor();
  }),

  // The numbers of the strips are those of /activity, and a request's are the difference that it makes.
  lit: (url) => open(url, async (page) => {
    await ready(page);
    const counts = () => page.evaluate(async () => (await fetch("v2/models/digits/activity?channels=1")).json());
    const before = await counts();
    await page.locator(".pad").press("7");
    await says(page, ".answer", /^7 \d/);
    await says(page, "#digits", /is this digit alone/);
    const [a, b] = [before, await counts()].map((c) => c.layers.find((l) => l.name === "classifier.1").per_channel);
    const woken = a.fired.map((n, i) => b.fired[i] - n);
    assert.equal(woken.every((n) => n === 0 || n === 1), true, "one image, one position: it fires or not");
    const amber = await page.locator(".strip").last().evaluate((c, n) => {
      const { data } = c.getContext("2d").getImageData(0, 0, c.width, c.height), y = Math.floor(c.height * 0.72);
      return Array.from({ length: n }, (_, i) => (data[4 * (y * c.width + Math.floor((i + 0.5) * (c.width / n)))] > 200 ? 1 : 0));
    }, woken.length);
    assert.deepEqual(amber, woken, "lit channels are those that fired");
  }),

  keyboard: (url) => open(url, async (page) => {
    await ready(page);
    await page.locator(".pad").press("4");
    await says(page, ".answer", /^4 \d/);
    await page.locator("button.layer").first().press("Enter");
    await page.getByRole("heading", { name: "features.2" }).waitFor();
    await page.locator(".grid").press("ArrowRight");
    await says(page, "dialog", /Channel \d+/);
    await page.keyboard.press("Escape");
    await page.getByRole("heading", { name: "features.2" }).waitFor({ state: "hidden" });
  }),

  // ARGUMENT: JSON of the channels killed in features.5.
  dead: (url, killed) => open(url, async (page) => {
    await ready(page);
    const dead = JSON.parse(killed), dying = dead.length > 16;
    await says(page, "button.layer", dying ? `dying: ${dead.length} of 32 dead` : `${dead.length} dead`);
    assert.deepEqual(await redColumns(page.locator(".strip").nth(1)), dead);
    await page.getByRole("button", { name: /features\.5/ }).click();
    await says(page, "dialog", `dead: ${dead.join(", ")}`);
    await says(page, "dialog", dying ? /Dying: 17 of 32/ : /never fired/);
  }),

  // Units that never fired are red, at their places in their channels' images, and nothing else is.
  units: (url) => open(url, async (page) => {
    await ready(page);
    await page.getByRole("button", { name: "Send the test set" }).click();
    await says(page, "#digits", /of 360/);
    const { per_channel: per, units } = await page.evaluate(async () =>
      (await (await fetch("v2/models/digits/activity?channels=1&units=1&layer=features.2")).json()).layers[0]);
    assert.notEqual(units.dead, 0);
    await page.getByRole("button", { name: /features\.2/ }).click();
    const size = 48, side = 8, share = per.values.map((n, i) => per.fired[i] / n);
    const order = share.map((_, i) => i).sort((a, b) => share[b] - share[a] || a - b);
    const red = await page.locator("dialog .grid").evaluate((c, { order, size, side }) => {
      const { data } = c.getContext("2d").getImageData(0, 0, c.width, c.height), scale = c.width / c.clientWidth;
      const columns = Math.floor((c.clientWidth + 4) / (size + 4));
      return order.flatMap((channel, place) => Array.from({ length: side * side }, (_, unit) => {
        const x = (place % columns) * (size + 4) + ((unit % side) * size) / side + 1;
        const y = Math.floor(place / columns) * (size + 4) + (Math.floor(unit / side) * size) / side + 1;
        const at = 4 * (Math.floor(y * scale) * c.width + Math.floor(x * scale));
        return data[at] > 200 && data[at + 1] < 60 ? channel * side * side + unit : -1;
      })).filter((unit) => unit >= 0).sort((a, b) => a - b);
    }, { order, size, side });
    assert.deepEqual(red, units.dead_indices);
  }),

  // Inputs and outputs stand at what reads and what makes them, in whatever order that is.
  branches: (url) => open(url, async (page) => {
    await ready(page);
    const from = await page.evaluate(async () => {
      const [metadata, graph] = await Promise.all(["", "/graph"].map(async (path) => (await fetch(`v2/models/branches${path}`)).json()));
      const { rows } = (await import("./page/lanes.js")).lay(graph, metadata);
      return Object.fromEntries(rows.map(({ step, from }) => [step.name, from.map(({ row }) => rows[row].step.name)]));
    });
    assert.deepEqual(from, { late: [], early: [], first: ["early"], second: ["late"], sum: ["first", "second"],
      end: ["sum"], middle: ["sum"], last: ["end"] });
  }),

  // Elements of an input say what the steps are.
  decided: (url) => open(url, async (page) => {
    for (const text of ["x", "sizes", "what the inputs' elements decide", "y"]) await page.locator("#picture").getByText(text, { exact: true }).waitFor();
    await says(page, "#network-note", /Nothing to watch/);
  }),

  // One value is enough for an alarm.
  nonfinite: (url) => open(url, async (page) => {
    await ready(page);
    await says(page, "#drift-state", "0 of 200 inputs");
    await page.getByRole("button", { name: "JSON or a file" }).click();
    await page.getByLabel("Request, as JSON").fill(`{"inputs":[{"name":"image","shape":[1,1,8,8],"datatype":"FP32","data":[NaN${",0".repeat(63)}]}]}`);
    await page.getByRole("button", { name: "Send", exact: true }).click();
    await says(page, ".result", /null/);
    await says(page, "button.layer", /features\.2.*not finite/);
    await says(page, "#drift-state", /drift/);
  }),

  // Without counts of channels nothing is said of any.
  layers: (url) => open(url, async (page) => {
    await ready(page);
    await page.locator(".pad").press("4");
    await says(page, ".answer", /^4 \d/);
    await says(page, "#network-note", /^1 input \(since load\)$/);
    assert.equal(await page.locator("#digits").getByText("Amber").count(), 0);
  }),

  // A layer is opened before the first look has ended.
  early: (url) => {
    let look;
    const looked = new Promise((go) => { look = go; });
    return open(url, async (page) => {
      await page.locator("button.layer").first().click();
      await page.getByRole("heading", { name: "features.2" }).waitFor();
      look();
    }, { before: (page) => page.route("**/metrics", async (route) => { await looked; await route.continue(); }) });
  },

  drift: (url) => open(url, async (page) => {
    await ready(page);
    await page.getByRole("button", { name: "Send the test set" }).click();
    await says(page, "#digits", /357 of 360/);
    await says(page, "#drift-state", /ok/);
    await page.getByRole("button", { name: "inverted" }).click();
    await page.getByRole("button", { name: "Send the test set" }).click();
    await says(page, "#digits", /of 360.*inverted/);
    await says(page, "#drift-state", /drift/);
    await page.getByRole("button", { name: "baseline" }).click();
    await says(page, "#network-note", /360 inputs of the baseline/);
  }),

  // ARGUMENT: JSON of the texts that are shown as they are.
  hostile: (url, texts) => open(url, async (page) => {
    for (const text of JSON.parse(texts)) await page.locator("#picture").getByText(text, { exact: true }).waitFor();
    await page.getByRole("button", { name: "Send", exact: true }).click();
    await says(page, ".result", /outputs/);
    await page.locator("button.layer").first().click();
    await page.locator("dialog h2").waitFor();
    assert.equal(await page.locator("img, script:not([src]), b, u, i").count(), 0, "a name became an element");
  }),

  // A server that is not ours may say anything.
  name: (url) => open(url, async (page) => {
    await says(page, "#model", "<img src=x onerror=alert(1)> · 1");
    await says(page, "#offline", /unknown model|<img/);
    assert.equal(await page.locator("img").count(), 0);
  }, { expected: /status of 404/, before: (page) => page.route("**/v2/models/stats", (route) =>
    route.fulfill({ json: { model_stats: [{ name: "<img src=x onerror=alert(1)>", version: "1" }] } })) }),

  // ARGUMENT: the server's process.
  offline: (url, pid) => open(url, async (page) => {
    await ready(page);
    process.kill(Number(pid), "SIGTERM");
    await says(page, "#offline", /does not answer/);
    await says(page, "#ready", /offline/);
  }, { expected: /Failed to load resource/ }),

  empty: (url) => open(url, async (page) => {
    await says(page, "#offline", /no model is served/);
    await says(page, "#ready", /not ready/);
  }, { expected: /status of 503/ }),

  // Nothing is asked while nobody looks, be it that a look was under way.
  hidden: (url) => open(url, async (page) => {
    await ready(page);
    const see = (hidden) => page.evaluate((value) => {
      Object.defineProperty(document, "hidden", { value, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }, hidden);
    let asked = 0, held = null;
    page.on("request", () => asked++);
    await page.route("**/metrics", async (route) => { await held; await route.continue(); });
    for (const during of [true, false]) {
      let answer;
      held = new Promise((go) => { answer = go; });
      await Promise.all([page.waitForRequest(/metrics/), page.clock.runFor(3000)]);
      if (during) await see(true);
      const answered = page.waitForResponse(/metrics/);
      answer();
      await answered;
      await page.waitForLoadState("networkidle");
      if (!during) await see(true);
      asked = 0;
      await page.clock.runFor(30000);
      assert.equal(asked, 0, "asked while hidden");
      await Promise.all([page.waitForRequest(/metrics/), see(false)]);
      await page.waitForLoadState("networkidle");
    }
  }, { before: (page) => page.clock.install() }),

  narrow: (url) => open(url, async (page) => {
    await ready(page);
    await draw(page, SEVEN);
    await says(page, ".answer", /^7 \d/);
    assert.equal(await page.evaluate(() => document.scrollingElement.scrollWidth), 390, "wider than the screen");
    const tiles = await page.locator(".tile:has(.spark)").evaluateAll((list) => list.map((tile) => {
      const value = tile.querySelector("strong"), inside = tile.getBoundingClientRect().right;
      value.textContent = "25.5 ms";
      return [value.getBoundingClientRect().right, tile.querySelector(".spark").getBoundingClientRect().left, inside];
    }));
    for (const [value, line, inside] of tiles) assert.ok(value <= line && line < inside, "a curve over its number");
  }, { width: 390, height: 844 }),

  accessible: async (url) => {
    for (const theme of ["light", "dark"])
      await open(url, async (page) => {
        await ready(page);
        await page.locator(".pad").press("3");
        await says(page, ".answer", /^3 \d/);
        await judge(page, `${theme}, the pad`);
        await page.getByRole("button", { name: "JSON or a file" }).click();
        await judge(page, `${theme}, the editor`);
        await page.locator("button.layer").first().click();
        await page.locator("dialog .grid").waitFor();
        await judge(page, `${theme}, a layer`);
      }, { theme });
  },
};

async function judge(page, where) {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate((await import("node:fs")).readFileSync(axe, "utf8"));
  const { violations } = await page.evaluate(() => window.axe.run());
  const bad = violations.filter((v) => ["serious", "critical"].includes(v.impact));
  assert.deepEqual(bad.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(" ")}`), [], where);
}

const [url, ...wanted] = process.argv.slice(2);
for (const text of wanted) {
  const [, name, argument] = /^(\w+)=?(.*)$/s.exec(text);
  try {
    await cases[name](url, argument);
  } catch (error) {
    console.log(`FAIL ${text}\n${error.stack}`);
    process.exitCode = 1;
  }
}
await browser.close();
