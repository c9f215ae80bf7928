import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startBackend, startBrowser } from "./backend.mjs";

/** @type {Awaited<ReturnType<typeof startBackend>>} */
let backend;
/** @type {import("playwright-core").Browser} */
let browser;

before(async () => {
  [backend, browser] = await Promise.all([startBackend(), startBrowser()]);
});
after(async () => {
  await browser?.close();
  await backend?.stop();
});

test("a dropped genome becomes a finished job", async () => {
  const page = await browser.newPage();
  /** @type {string[]} */
  const complaints = [];
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(backend.url);
  await page.locator("input[type=file]").first().setInputFiles({ name: "try.fna", mimeType: "", buffer: Buffer.from(`>a\n${"ACGTTGCA".repeat(300)}\n`) });
  await page.getByRole("button", { name: "Start 1 job" }).click();
  await page.locator(".state.successful").first().waitFor(); // the log of a running job has the word, too
  assert.deepEqual(complaints, []);
});
