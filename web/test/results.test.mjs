// The results of a job: summary, map, genome browser, table, details, files.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { bakta } from "./annotation.mjs";
import { startBackend, startBrowser, until } from "./backend.mjs";
import { pageOf, runJob } from "./job.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** A directory for pictures to look at. */
const pictures = process.env["PICTURES"];

/** @type {Awaited<ReturnType<typeof startBackend>>} */
let backend;
/** @type {import("playwright-core").Browser} */
let browser;
/** A finished job with an annotation of several sequences, from Bakta's JSON file. */
let job;
const several = bakta({ features: 600, sequences: 3 });

before(async () => {
  [backend, browser] = await Promise.all([startBackend(), startBrowser()]);
  job = await runJob(backend.url, "baktfold", { bakta_json: JSON.stringify(several) }, { name: "genome_A" });
  assert.equal(job.status, "successful");
  if (pictures !== undefined) mkdirSync(pictures, { recursive: true });
});
after(async () => {
  await browser?.close();
  await backend?.stop();
});

/**
 * Opens a job's page. `json` takes the place of the annotation, `links` changes the answer with the links.
 * @param {{ job?: object, json?: string, links?: (files: Record<string, string>) => void, context?: object }} [options]
 */
async function open(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 1000 }, ...options.context });
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  if (options.json !== undefined) {
    await context.route(/\.json\?/, (route) => route.fulfill({ body: options.json, headers: { "Access-Control-Allow-Origin": "*" } }));
  }
  if (options.links !== undefined) {
    await context.route("**/api/v2/job/result", async (route) => {
      const answer = await route.fetch();
      const body = await answer.json();
      options.links(body.result.files);
      await route.fulfill({ response: answer, json: body });
    });
  }
  await page.goto(pageOf(backend.url, options.job ?? job));
  return { page, context, complaints };
}

const rows = (page) => page.locator("[role=grid] [role=row][id]");
const isMapDrawn = (page) => page.locator("#genome-map canvas").first().waitFor();
const details = (page) => page.getByRole("complementary", { name: "Chosen feature" });

test("the summary counts what was found", async () => {
  const { page, context, complaints } = await open();
  await rows(page).first().waitFor();
  await isMapDrawn(page);
  const summary = page.locator(".summary");
  await summary.getByText("Testus exemplaris T1").waitFor();
  const size = several.sequences.reduce((sum, s) => sum + s.length, 0);
  assert.equal(await summary.getByTitle(`${size.toLocaleString("en")} bp`).count() > 0, true);
  const cds = several.features.filter((f) => f.type === "cds").length;
  assert.match(await summary.getByRole("button", { name: /CDSs/ }).innerText(), new RegExp(`^\\s*${cds}\\s+CDSs`));
  await summary.getByText("Bakta 1.12.2").waitFor();
  assert.deepEqual(complaints, []);
  await context.close();
});

test("a feature that is chosen in the table, the map or the browser is chosen in all", async () => {
  const { page, context, complaints } = await open({ context: { reducedMotion: "reduce" } });
  const hosts = new Set();
  page.on("request", (request) => hosts.add(new URL(request.url()).hostname));
  await rows(page).first().waitFor();
  await isMapDrawn(page);
  await page.getByRole("searchbox", { name: "Search" }).fill(several.features[60].locus);
  await page.getByText(several.features[60].locus, { exact: true }).first().click();
  await page.getByRole("button", { name: "Show all" }).click();
  await details(page).getByText(several.features[60].locus).first().waitFor();

  // The browser shows it when it is opened.
  await page.getByRole("button", { name: "Open", exact: true }).click();
  await page.getByRole("button", { name: "Close", exact: true }).first().waitFor();
  const locus = page.locator(".igv-container input").first();
  await page.waitForFunction(() => /^contig_1:/.test(document.querySelector("div.igv-container").shadowRoot.querySelector("input").value));
  assert.match(await locus.inputValue(), /^contig_1:/);

  // In the map, what is right of the chosen one.
  const chosen = () => page.locator("[role=row][aria-selected=true]").getAttribute("id");
  const before = await chosen();
  await page.getByRole("button", { name: "Zoom to the chosen" }).click();
  await page.getByRole("button", { name: "Whole" }).and(page.locator(":enabled")).waitFor(); // it has moved
  const map = page.locator("#genome-map .cgv-layer-ui");
  await map.scrollIntoViewIfNeeded();
  const box = await map.boundingBox();
  // Finds the place of another feature by the pointer's tip, as people do. The map says after its next frames what is under the pointer.
  const frames = () => page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(resolve, 0)))));
  const tip = page.locator(".tip b");
  const places = [];
  for (let x = 40; x < box.width / 2; x += 25) for (let y = -80; y <= 80; y += 10) places.push({ x: box.width / 2 + x, y: box.height / 2 + y });
  let other;
  for (const position of places) {
    await map.hover({ position });
    await frames();
    if ((await tip.count()) === 0) continue;
    other = position;
    break;
  }
  assert.notEqual(other, undefined, "the map has another feature beside the chosen one");
  await until(async () => {
    await map.click({ position: other });
    await frames();
    return (await chosen()) !== before;
  }, "a click in the map chooses another feature");
  const second = await chosen();
  const place = several.features[Number(second.slice("feature-".length))];
  await page.waitForFunction(
    ([from, to]) => {
      const [, a, b] = /:([\d,]+)-([\d,]+)/.exec(document.querySelector("div.igv-container").shadowRoot.querySelector("input").value) ?? [];
      const number = (text) => Number(text?.replaceAll(",", ""));
      return number(a) <= from && number(b) >= to;
    },
    [place.start, place.stop],
  );

  // In the browser, the feature before. Its track may still be loading: until then a click meets nothing.
  const track = page.locator(".igv-container .igv-viewport").nth(2); // below the ruler and the bases
  await track.scrollIntoViewIfNeeded();
  const third = `feature-${Number(second.slice("feature-".length)) - 1}`;
  const left = several.features[Number(third.slice("feature-".length))];
  await until(async () => {
    const [, from, to] = /:([\d,]+)-([\d,]+)/.exec(await locus.inputValue()).map((text) => Number(text.replaceAll(",", "")));
    const middle = (Math.max(from, left.start) + left.stop) / 2;
    assert.ok(middle > from, `the feature before, ${left.start} to ${left.stop}, is in the browser, which shows ${from} to ${to}`);
    const area = await track.boundingBox();
    await page.mouse.click(area.x + (area.width * (middle - from)) / (to - from), area.y + 14);
    // A second click within the time of a double click would mean another thing.
    const isChosen = page.waitForFunction((id) => document.querySelector("[role=row][aria-selected=true]")?.id === id, third, { timeout: 3000 });
    return isChosen.then(() => true, () => false);
  }, "a click in the browser chooses the feature before");
  await details(page).getByText(left.locus).first().waitFor();
  for (const host of hosts) assert.match(host, /^(127\.0\.0\.1|localhost|)$/);
  assert.deepEqual(complaints, []);
  await context.close();
});

test("the table finds features by every name and cross-reference, filters and sorts", async () => {
  const { page, context } = await open();
  const grid = page.getByRole("grid", { name: "Features" });
  await rows(page).first().waitFor();
  assert.equal(await grid.getAttribute("aria-rowcount"), String(several.features.length + 1));
  const counts = async (expected) => {
    await page.waitForFunction((n) => document.querySelector("[role=grid]").getAttribute("aria-rowcount") === String(n + 1), expected);
  };
  const search = page.getByRole("searchbox", { name: "Search" });
  const some = several.features.find((f) => f.db_xrefs.length > 5);
  for (const reference of some.db_xrefs) {
    await search.fill(reference);
    await counts(several.features.filter((f) => f.db_xrefs.some((r) => r.includes(reference))).length);
  }
  await search.fill(some.locus.toLowerCase());
  await counts(1);
  await search.fill("permease NADH");
  await counts(several.features.filter((f) => /permease/.test(f.product) && /NADH/.test(f.product)).length);
  await search.fill("nothing has this name");
  await page.getByText("No feature matches.").waitFor();
  await page.getByRole("button", { name: "Show all" }).first().click();
  await counts(several.features.length);
  await page.getByRole("combobox", { name: "Kind" }).selectOption("tRNA");
  await counts(several.features.filter((f) => f.type === "tRNA").length);
  await page.getByRole("combobox", { name: "Kind" }).selectOption("");
  await page.getByRole("combobox", { name: "Sequence" }).selectOption("1");
  await counts(several.features.filter((f) => f.sequence === "contig_2").length);
  await page.getByRole("combobox", { name: "Sequence" }).selectOption("-1");
  await page.getByRole("columnheader", { name: "Length" }).getByRole("button").click();
  await page.getByRole("columnheader", { name: "Length" }).getByRole("button").click();
  const longest = several.features.filter((f) => f.start <= f.stop).reduce((a, b) => (b.stop - b.start > a.stop - a.start ? b : a));
  await page.waitForFunction((locus) => document.querySelector(".grid-row .cell-locus").textContent === locus, longest.locus);
  assert.equal(await page.getByRole("columnheader", { name: "Length" }).getAttribute("aria-sort"), "descending");
  // The keyboard sorts, too, and the order is remembered.
  await page.getByRole("columnheader", { name: "Product" }).getByRole("button").focus();
  await page.keyboard.press("Enter");
  const byProduct = [...several.features].sort((a, b) => new Intl.Collator("en", { numeric: true }).compare(a.product, b.product))[0];
  await page.waitForFunction((product) => document.querySelector(".grid-row .cell-product").textContent === product, byProduct.product);
  await page.reload();
  await page.waitForFunction((product) => document.querySelector(".grid-row .cell-product")?.textContent === product, byProduct.product);
  assert.equal(await page.getByRole("columnheader", { name: "Product" }).getAttribute("aria-sort"), "ascending");
  await context.close();
});

test("the keyboard alone moves through the table and the map", async () => {
  const { page, context } = await open();
  await rows(page).first().waitFor();
  await isMapDrawn(page);
  const grid = page.getByRole("grid", { name: "Features" });
  await grid.focus();
  const active = () => grid.getAttribute("aria-activedescendant");
  for (const [key, index] of [["ArrowDown", 0], ["ArrowDown", 1], ["End", several.features.length - 1], ["ArrowUp", several.features.length - 2], ["Home", 0]]) {
    await page.keyboard.press(key);
    await page.waitForFunction((id) => document.querySelector("[role=grid]").getAttribute("aria-activedescendant") === id, `feature-${index}`);
    await page.locator(`#${await active()}`).waitFor();
  }
  await page.getByRole("application").focus();
  await page.keyboard.press("+");
  await page.getByRole("button", { name: "Whole" }).and(page.locator(":enabled")).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Whole" }).and(page.locator(":disabled")).waitFor();
  await context.close();
});

test("the details link to databases, and give the sequences", async () => {
  const { page, context } = await open({ context: { permissions: ["clipboard-read", "clipboard-write"] } });
  const some = several.features.find((f) => f.db_xrefs.length > 5);
  await rows(page).first().waitFor();
  await page.getByText(some.locus, { exact: true }).click();
  const link = details(page).getByRole("link", { name: /^WP_/ });
  assert.equal(await link.getAttribute("href"), `https://www.ncbi.nlm.nih.gov/protein/${some.db_xrefs[0].slice("RefSeq:".length)}`);
  assert.equal(await link.getAttribute("rel"), "noopener noreferrer");
  await details(page).getByRole("button", { name: "Copy the amino acids" }).click();
  await details(page).getByText("Copied").waitFor();
  const copied = async () => (await page.evaluate(() => navigator.clipboard.readText())).split("\n").slice(1).join("");
  assert.equal(await copied(), some.aa);
  // Over the origin, the bases are cut from both ends of the sequence.
  const over = several.features.find((f) => f.start > f.stop);
  await page.getByRole("searchbox", { name: "Search" }).fill(over.locus);
  await page.getByText(over.locus, { exact: true }).first().click();
  await details(page).getByText("–end, 1–").waitFor();
  await details(page).getByRole("button", { name: "Copy the nucleotides" }).click();
  const all = several.sequences.find((s) => s.id === over.sequence).nt;
  const forward = all.slice(over.start - 1) + all.slice(0, over.stop);
  const reverse = [...forward].reverse().map((b) => ({ A: "T", C: "G", G: "C", T: "A" })[b]).join("");
  await until(async () => (await copied()) === (over.strand === "-" ? reverse : forward), "the nucleotides are in the clipboard");
  await context.close();
});

/** The names and contents of an archive whose files are stored as they are. */
function unzip(content) {
  const files = new Map();
  const end = content.lastIndexOf(Buffer.from("PK\x05\x06"));
  let at = content.readUInt32LE(end + 16);
  for (let n = content.readUInt16LE(end + 10); n > 0; n--) {
    const [size, name, extra, comment, from] = [content.readUInt32LE(at + 24), content.readUInt16LE(at + 28), content.readUInt16LE(at + 30), content.readUInt16LE(at + 32), content.readUInt32LE(at + 42)];
    const start = from + 30 + content.readUInt16LE(from + 26) + content.readUInt16LE(from + 28);
    files.set(content.subarray(at + 46, at + 46 + name).toString(), content.subarray(start, start + size));
    at += 46 + name + extra + comment;
  }
  return files;
}

const saved = async (download) => readFileSync(await download.path());

for (const way of ["a service worker", "memory"]) {
  test(`one archive has all files, made by ${way}`, async () => {
    const { page, context } = await open();
    await rows(page).first().waitFor();
    if (way === "memory") await page.evaluate(() => Object.defineProperty(navigator.serviceWorker, "register", { value: () => Promise.reject(new Error("no")) }));
    const downloading = page.waitForEvent("download");
    await page.getByRole("button", { name: "All as one archive" }).click();
    const download = await downloading;
    assert.equal(download.suggestedFilename(), `genome_A_${job.job_id}.zip`);
    const files = unzip(await saved(download));
    await page.getByText("The archive is complete.").waitFor();
    const { result } = await (await fetch(`${backend.url}/api/v2/job/result`, { method: "POST", body: JSON.stringify({ job_id: job.job_id, secret: job.secret }) })).json();
    assert.equal(files.size, Object.keys(result.files).length);
    for (const [key, ending] of [["gff3", "gff3"], ["inference_tsv", "inference.tsv"], ["json", "json"]]) {
      const content = Buffer.from(await (await fetch(result.files[key])).arrayBuffer());
      assert.equal(files.get(`genome_A.${ending}`)?.equals(content), true, ending);
    }
    assert.equal(new URL(page.url()).pathname, "/");
    await context.close();
  });
}

test("a file is downloaded under the job's name", async () => {
  const { page, context } = await open();
  const downloading = page.waitForEvent("download");
  await page.getByRole("link", { name: ".gff3" }).click();
  assert.equal((await downloading).suggestedFilename(), "genome_A.gff3");
  await context.close();
});

test("links that have expired are renewed without a word", async () => {
  let asked = 0;
  const { page, context } = await open({
    links: (files) => {
      asked++;
      // The first links are those of yesterday: the storage refuses them.
      if (asked === 1) for (const key of Object.keys(files)) files[key] = files[key].replace(/X-Amz-Signature=\w{8}/, "X-Amz-Signature=00000000");
    },
  });
  await rows(page).first().waitFor();
  assert.equal(asked, 2);
  assert.equal(await page.locator(".note.bad").count(), 0);
  const downloading = page.waitForEvent("download");
  await page.getByRole("link", { name: ".gff3" }).click();
  assert.equal((await downloading).suggestedFilename(), "genome_A.gff3");
  await context.close();
});

test("what is missing or damaged is told in its place", async (t) => {
  await t.test("no annotation", async () => {
    const { page, context } = await open({ links: (files) => delete files.json });
    await page.getByText("The file with the annotation (JSON) is missing.").waitFor();
    await page.getByRole("link", { name: ".gff3" }).waitFor();
    await context.close();
  });
  await t.test("no sequences for the browser", async () => {
    const { page, context } = await open({ links: (files) => delete files.fna });
    await page.getByText("there is nothing for the genome browser").waitFor();
    await rows(page).first().waitFor();
    await context.close();
  });
  for (const [name, json, text] of [
    ["not JSON", '{"features": [', "is damaged"],
    ["another form", "[1, 2]", "has another form"],
    ["no features", JSON.stringify({ ...several, features: [] }), "has no features"],
    ["only a stub", "{\"version\": 7, \"features\": [null, 3, {\"start\": \"x\"}]}", "Proteins"],
  ]) {
    await t.test(name, async () => {
      const { page, context, complaints } = await open({ json });
      await page.getByText(text).first().waitFor();
      await page.getByRole("link", { name: ".gff3" }).waitFor();
      assert.deepEqual(complaints, []);
      await context.close();
    });
  }
  await t.test("the storage does not answer", async () => {
    const { page, context } = await open({ links: (files) => (files.json = "http://127.0.0.1:9/none.json?x=1") });
    await page.getByText("The storage does not give the file").waitFor();
    await page.getByRole("button", { name: "Try again" }).waitFor();
    await context.close();
  });
});

test("a thousand sequences, and names from strangers", async () => {
  const many = bakta({ features: 3000, sequences: 1000 });
  many.features[0].product = "<img src=x onerror=alert(1)><style>*{display:none}</style>";
  many.features[0].gene = "<b>x</b>";
  many.features[1].product = "Fetuin-ähnlich, β-カ \u{1F9EC}";
  many.sequences[2].orig_id = "<i>s</i>";
  const { page, context, complaints } = await open({ json: JSON.stringify(many) });
  await rows(page).first().waitFor();
  await isMapDrawn(page);
  await page.getByText(many.features[0].product).first().click();
  await details(page).getByText("<b>x</b>").waitFor();
  await page.getByText(many.features[1].product).first().waitFor();
  assert.equal(await page.locator("main img, main b b, .tip style").count(), 0);
  const map = page.locator("#genome-map .cgv-layer-ui");
  await page.getByRole("button", { name: "Zoom to the chosen" }).click();
  const box = await map.boundingBox();
  for (let y = -120; y <= 120; y += 15) await map.hover({ position: { x: box.width / 2, y: box.height / 2 + y } });
  assert.equal(await page.locator(".plot img, .plot style").count(), 0);
  assert.deepEqual(complaints, []);
  await context.close();
});

test("a job of proteins has a table and files, and no map", async () => {
  const proteins = await runJob(backend.url, "bakta_proteins", { protein_fasta: ">p1 first\nMKVLAAGIVG\n>p2 second\nMSTNPKPQRK\n" }, { name: "proteins" });
  const { page, context, complaints } = await open({ job: proteins });
  await page.getByRole("grid", { name: "Proteins" }).waitFor();
  assert.equal(await rows(page).count(), 2);
  assert.equal(await page.locator(".plot, .browser").count(), 0);
  await rows(page).first().click();
  await details(page).getByText("Amino acids").first().waitFor();
  assert.deepEqual(complaints, []);
  await context.close();
});

test("a job that failed late shows the results of the stages before", async () => {
  const failing = await startBackend({ env: { BAKTA_STAND_IN_FAIL: "baktfold:error" } });
  try {
    const failed = await runJob(failing.url, "bakta_baktfold", { genome_fasta: `>a\n${"ATGGCTAAACGTGCATGCTTTGCAGGTCTGACCGATTAA".repeat(80)}\n` });
    assert.equal(failed.status, "error");
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(pageOf(failing.url, failed));
    await page.getByText("These are the results of that stage.").waitFor();
    await page.getByRole("link", { name: ".json" }).waitFor();
    await context.close();
  } finally {
    await failing.stop();
  }
});

for (const [name, context] of Object.entries({
  light: { colorScheme: "light" },
  dark: { colorScheme: "dark" },
  phone: { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 },
  "phone-dark": { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, colorScheme: "dark", deviceScaleFactor: 2 },
})) {
  test(`no barrier is found, ${name}`, async () => {
    const { page, context: c } = await open({ context: { ...context, bypassCSP: true, reducedMotion: "reduce" } });
    await rows(page).first().waitFor();
    await isMapDrawn(page);
    if (pictures !== undefined) await page.screenshot({ path: `${pictures}/results-${name}.png`, fullPage: true });
    await rows(page).nth(4).click();
    await details(page).getByText("Cross-references").waitFor();
    if (pictures !== undefined) await page.screenshot({ path: `${pictures}/results-${name}-chosen.png` });
    if (name === "light") {
      await page.getByRole("button", { name: "Open", exact: true }).click();
      await page.getByRole("button", { name: "Close", exact: true }).first().waitFor();
    }
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
    assert.deepEqual(violations.map((v) => `${v.id}: ${v.nodes.map((n) => `${n.html.slice(0, 120)} ${n.failureSummary}`).join(" | ")}`), []);
    // Nothing is wider than the screen.
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
    await c.close();
  });
}
