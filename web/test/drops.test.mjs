// Files and folders, dropped by the browser's own drag and drop, and what can go wrong with them.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { startBackend, startBrowser, until } from "./backend.mjs";

/** @type {Awaited<ReturnType<typeof startBackend>>} */
let backend;
/** @type {import("playwright-core").Browser} */
let browser;
/** @type {import("playwright-core").Page} */
let page;
/** @type {string} */
let folder;
/** @type {string[]} */
let complaints = [];

before(async () => {
  [backend, browser] = await Promise.all([startBackend(), startBrowser()]);
});
after(async () => {
  await browser?.close();
  await backend?.stop();
});
beforeEach(async () => {
  page = await (await browser.newContext()).newPage();
  complaints = [];
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  folder = mkdtempSync(join(tmpdir(), "bakta-web-drop-"));
});
afterEach(async () => {
  await page.context().close();
  rmSync(folder, { recursive: true, force: true });
});

const sequence = (n) => "ACGTTGCAAC".repeat(Math.ceil(n / 10)).slice(0, n);

/** Makes files below the folder of the test. */
function make(/** @type {Record<string, string | Uint8Array>} */ files) {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(folder, path, ".."), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
}

/** Drops files and folders as a file manager does. */
async function drop(/** @type {string[]} */ ...paths) {
  const session = await page.context().newCDPSession(page);
  const data = { items: [], files: paths.map((path) => join(folder, path)), dragOperationsMask: 1 };
  for (const type of /** @type {const} */ (["dragEnter", "dragOver", "drop"])) await session.send("Input.dispatchDragEvent", { type, x: 300, y: 300, data });
  await session.detach();
}

/** A folder as people have them: genomes in folders of folders, one compressed, and much else. */
const run = {
  "run/one.fna": `>one\n${sequence(3000)}\n`,
  "run/more/two.fna.gz": gzipSync(`>two\n${sequence(4000)}\n`),
  "run/more/proteins.faa": ">p1\nMKRELLQWFIDE\n>p2\nMSTNPKPQRKTK\n",
  "run/.DS_Store": "\0\0\0\x01Bud1",
  "run/more/notes.txt": "Sequenced on Monday.\n",
  "run/more/reads.fastq": `@r\n${sequence(50)}\n+\n${"I".repeat(50)}\n`,
  "run/figure.png": Buffer.from("89504e470d0a1a0a0000000d49484452", "hex"),
  "run/empty.fna": "",
};

for (const [way, give] of Object.entries({
  dropped: () => drop("run"),
  chosen: () => page.getByLabel("A folder to annotate").setInputFiles(join(folder, "run")),
})) {
  test(`a folder with other things in it is ${way}`, async () => {
    make(run);
    await page.goto(backend.url);
    await page.getByText("Drop genomes here").waitFor();
    await give();
    await page.getByText("run/one.fna").waitFor();
    await page.getByText("run/more/two.fna.gz").waitFor();
    await page.getByText("4,000 bp in 1 sequence").waitFor();
    await page.getByText("2 proteins", { exact: true }).waitFor();
    await page.getByText("4 files left out").click();
    for (const path of ["run/more/notes.txt", "run/more/reads.fastq", "run/figure.png", "run/empty.fna"]) {
      await page.locator(".left-out li").filter({ hasText: path }).waitFor();
    }
    assert.equal(await page.getByText(".DS_Store").count(), 0);
    await page.getByRole("button", { name: "Start 3 jobs", disabled: false }).click();
    await page.getByText("3 jobs started").waitFor();
    assert.deepEqual(complaints, []);
  });
}

test("a thousand files of a folder are all taken, and those out of sight are not in the page", async () => {
  make(Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`many/g${String(i).padStart(4, "0")}.fna`, `>a\n${sequence(600)}\n`])));
  await page.goto(backend.url);
  await page.getByText("Drop genomes here").waitFor();
  await drop("many");
  await page.getByRole("heading", { name: "1,000 genomes" }).waitFor();
  await page.getByRole("button", { name: "Start 1,000 jobs", disabled: false }).waitFor();
  const rows = page.getByRole("listitem").filter({ has: page.getByLabel("Name of the job") });
  assert.ok((await rows.count()) < 60, `${await rows.count()} rows are in the page`);
  // The last one is where a scroll to the end of the list finds it, and the first is there again at the top.
  await until(async () => {
    await page.evaluate(() => scrollTo(0, document.querySelector(".samples").getBoundingClientRect().bottom + scrollY - innerHeight));
    return page.getByText("g0999.fna").isVisible(); // rows that come into sight may be higher than those before
  }, "the last row is in sight");
  assert.equal(await page.getByText("g0000.fna").count(), 0);
  await page.evaluate(() => scrollTo(0, 0));
  await page.getByText("g0000.fna").waitFor();
  // The keyboard reaches rows that were not in the page: each brings the next ones.
  await page.getByLabel("Name of the job").first().focus();
  const drawn = () => page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(resolve, 0)))));
  for (let i = 0; i < 2 * 30; i++) {
    await page.keyboard.press("Tab");
    await drawn();
  }
  assert.match(await page.evaluate(() => document.activeElement?.closest(".sample")?.textContent ?? ""), /g0030\.fna/);
});

test("a file that can't be read any more is told at its row, and the others go on", async () => {
  make({ "a.fna": `>a\n${sequence(3000)}\n`, "b.fna": `>b\n${sequence(3000)}\n`, "c.fna": `>c\n${sequence(3000)}\n` });
  await page.goto(backend.url);
  await page.getByText("Drop genomes here").waitFor();
  await drop("a.fna", "b.fna", "c.fna");
  const row = (name) => page.locator(".sample").filter({ hasText: name });
  await page.getByRole("button", { name: "Start 3 jobs", disabled: false }).waitFor();
  rmSync(join(folder, "b.fna"));
  await page.getByRole("button", { name: "Start 3 jobs" }).click();
  await row("b.fna").getByText("The browser can’t read b.fna any more").or(row("b.fna").getByText("The browser can't read b.fna any more")).waitFor();
  await page.getByText("2 jobs started").waitFor();
  // A check says the same.
  await page.getByRole("button", { name: "Remove all" }).click();
  await drop("a.fna", "c.fna");
  await page.getByRole("button", { name: "Start 2 jobs", disabled: false }).waitFor();
  rmSync(join(folder, "a.fna"));
  await page.getByLabel("Shortest sequence").fill("100");
  await row("a.fna").getByText("the browser can't read the file").waitFor();
  await page.getByRole("button", { name: "Start 1 job", disabled: false }).waitFor();
});
