// node screenshots.mjs URL FOLDER: the README's pictures of the page.
import path from "node:path";
import { browser, draw, open, ready, SEVEN } from "./browser.mjs";

const [url, folder] = process.argv.slice(2);
const to = (name) => ({ path: path.join(folder, name) });

await open(url, async (page) => {
  await ready(page);
  await page.getByRole("button", { name: "Send the test set" }).click();
  await page.locator("#digits").filter({ hasText: /of 360/ }).waitFor();
  await draw(page, SEVEN);
  await page.locator("#digits").filter({ hasText: /this digit alone/ }).waitFor();
  await page.locator("#drift-state").filter({ hasText: /ok/ }).waitFor();
  await page.mouse.move(0, 0);
  await page.screenshot(to("page.png"));
}, { width: 1240, height: 880 });
await browser.close();
