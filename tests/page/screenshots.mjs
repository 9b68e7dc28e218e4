// node screenshots.mjs URL FILE THEME: the README's picture of the page, light or dark.
import { browser, draw, open, ready, SEVEN } from "./browser.mjs";

// Curves want a server that has been asked for a while.
const ROUNDS = 40, PAUSE = 1000;

const [url, file, theme] = process.argv.slice(2);

await open(url, async (page) => {
  await ready(page);
  for (let round = 0; round < ROUNDS; round++) {
    await page.getByRole("button", { name: "Send the test set" }).click();
    await page.locator("#digits").filter({ hasText: /of 360/ }).waitFor();
    await page.waitForTimeout(PAUSE);
  }
  await draw(page, SEVEN);
  await page.locator("#digits").filter({ hasText: /this digit alone/ }).waitFor();
  await page.locator("#drift-state").filter({ hasText: /ok/ }).waitFor();
  await page.mouse.move(0, 0);
  await page.screenshot({ path: file });
}, { width: 1240, height: 880, theme });
await browser.close();
