// What people do with the page, against a real server with the stand-in.
import assert from "node:assert/strict";
import { after, before, beforeEach, afterEach, test } from "node:test";
import { readFileSync } from "node:fs";
import axe from "axe-core";
import { freePort, startBackend, startBrowser, until } from "./backend.mjs";

/** @type {Awaited<ReturnType<typeof startBackend>>} */
let backend;
/** @type {import("playwright-core").Browser} */
let browser;
/** @type {import("playwright-core").Page} */
let page;
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
});
afterEach(async () => {
  await page.context().close();
});

const bases = (n) => "ACGTTGCAAC".repeat(Math.ceil(n / 10)).slice(0, n);
const genome = (name, content = `>${name}\n${bases(3000)}\n`) => ({ name: `${name}.fna`, mimeType: "", buffer: Buffer.from(content) });
const files = () => page.locator("input[type=file]").first();
const start = (n) => page.getByRole("button", { name: n === 1 ? "Start 1 job" : `Start ${n} jobs` });

/** Waits until a job that is shown has succeeded. The jobs of earlier tests may run before it, one at a time. */
const finished = (/** @type {import("playwright-core").Page} */ on) => on.locator(".state.successful").first().waitFor();

/** Checks the view by the rules of axe-core, in both colour schemes. */
async function accessible(view) {
  for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    // The page hears of the scheme later than this call returns; between, some colours would be of the one and some of the other.
    await page.waitForFunction((scheme) => document.documentElement.dataset.scheme === scheme, colorScheme);
    await page.evaluate(axe.source + ";0");
    const found = await page.evaluate(async () => {
      // @ts-ignore: axe is there
      const { violations } = await axe.run({ resultTypes: ["violations"] });
      return violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => `${n.html} ${n.failureSummary}`).slice(0, 3).join(" | ")}`);
    });
    assert.deepEqual(found, [], `${view}, ${colorScheme}`);
  }
}

test("what a start would refuse is told at its row, and the others go on", async () => {
  await page.goto(backend.url);
  await accessible("the first view");
  await files().setInputFiles([
    genome("good"), genome("odd", `>a\n${bases(600)}??\n`), genome("blank", " \n"),
    { name: "letter.docx", mimeType: "", buffer: Buffer.from("PK\x03\x04letter") },
    { name: "p.faa", mimeType: "", buffer: Buffer.from(">p\nMKRELLQWFIDE\n") },
  ]);
  await page.getByText(`The genome file has the character '?' in the sequence "a" in line 2`).waitFor();
  await page.getByText("1 protein", { exact: true }).waitFor();
  await page.getByText("3,000 bp in 1 sequence").waitFor();
  await page.getByText("2 files left out").click();
  await page.getByText("letter.docx").waitFor();
  await accessible("files");
  await start(2).click();
  await page.getByText("2 jobs started").waitFor();
  await page.getByRole("link", { name: "See the jobs" }).click();
  await page.getByRole("link", { name: "good" }).click();
  await finished(page);
  await accessible("a finished job");
  await page.getByRole("link", { name: "Log", exact: true }).click();
  await page.getByText("Annotation successfully finished").waitFor();
  await accessible("its log");
  await page.getByRole("link", { name: "Jobs" }).first().click();
  await page.getByRole("table").getByText("p", { exact: true }).waitFor();
  await accessible("the jobs");
  assert.deepEqual(complaints, []);
});

test("options are a form with the server's rules, and the last choice is remembered", async () => {
  await page.goto(backend.url);
  await files().setInputFiles([genome("a")]);
  await page.getByLabel("Genus").fill("Escherichia");
  await page.getByLabel("Plasmid").fill("plasmid one");
  await page.getByText(/has the word "plasmid"/).waitFor();
  await page.getByRole("button", { name: "Start 1 job", disabled: true }).waitFor();
  await page.getByLabel("Plasmid").fill("p1");
  await page.getByText(/has the word "plasmid"/).waitFor({ state: "detached" });
  await page.getByLabel("Shortest sequence").fill("5000");
  await page.getByText(/no sequence of at least 5000 base pairs/).waitFor(); // the file is checked again
  await page.getByLabel("Shortest sequence").fill("");
  await page.getByText("Write the replicon table here").click();
  await page.getByLabel("Topology of a").selectOption("circular");
  await page.getByText("replicons.tsv").waitFor();
  await page.getByRole("link", { name: "Jobs" }).first().click();
  await page.getByRole("link", { name: "Annotate", exact: true }).click();
  await page.getByText("Write the replicon table here").click();
  assert.equal(await page.getByLabel("Topology of a").inputValue(), "circular"); // as before the change of the view
  await page.getByRole("button", { name: "Start 1 job", disabled: false }).waitFor();
  await accessible("options");
  await start(1).click();
  await finished(page);
  await page.goto(backend.url + "/#/");
  await page.reload();
  await files().setInputFiles([genome("b")]);
  await until(async () => (await page.getByLabel("Genus").inputValue()) === "Escherichia", "the genus is remembered");
  assert.equal(await page.getByLabel("Plasmid").inputValue(), ""); // of one genome alone
});

test("a sample sheet names samples and options, and what is wrong in it is told at its row", async () => {
  await page.goto(backend.url);
  const sheet = "name,genome,genus,translation-table\nfirst,a.fna,Escherichia,4\nsecond,missing.fna,,\nthird,b.fna,,11\n";
  await files().setInputFiles([genome("a"), genome("b"), { name: "samples.csv", mimeType: "", buffer: Buffer.from(sheet) }]);
  await page.getByText("is the sample sheet, with 3 samples").waitFor();
  await page.getByText("missing.fna is not among the files").waitFor();
  await files().setInputFiles([genome("missing")]);
  await start(3).waitFor();
  const sent = page.waitForRequest((r) => r.url().endsWith("/job/submit") && r.postDataJSON().config.genus === "Escherichia");
  await start(3).click();
  assert.equal((await sent).postDataJSON().config.translation_table, 4);
  await page.getByText("3 jobs started").waitFor();
});

test("a sheet may name further files, which may come later", async () => {
  await page.goto(backend.url);
  const sheet = "genome\tregions\na.fna\tknown.gff\nb.fna\t\n";
  await files().setInputFiles([genome("a"), genome("b"), { name: "samples.tsv", mimeType: "", buffer: Buffer.from(sheet) }]);
  await page.getByText("known.gff is not among the files").waitFor();
  await start(1).waitFor();
  const gff = "##gff-version 3\na\tx\tCDS\t1\t9\t.\t+\t0\tID=1\n";
  await files().setInputFiles([{ name: "known.gff", mimeType: "", buffer: Buffer.from(gff) }]);
  await start(2).waitFor();
  await start(2).click();
  await page.getByText("2 jobs started").waitFor();
});

test("the page works by HTTP under the name of another machine, where browsers allow less", async () => {
  const lab = await startBackend({ arguments: ["--public", "lab.test"] });
  const there = await startBrowser(["--host-resolver-rules=MAP lab.test 127.0.0.1"]);
  try {
    const other = await there.newPage();
    await other.goto(lab.url);
    assert.equal(await other.evaluate(() => isSecureContext), false);
    await other.locator("input[type=file]").first().setInputFiles([genome("lab")]);
    await other.getByRole("button", { name: "Start 1 job", disabled: false }).click();
    await finished(other);
  } finally {
    await there.close();
    await lab.stop();
  }
});

test("an upload goes on after the connection was lost, and what was sent is started after a reload", async () => {
  await page.goto(backend.url);
  await files().setInputFiles([genome("lost")]);
  let puts = 0;
  await page.route(
    (url) => url.port !== new URL(backend.url).port,
    (route) => (route.request().method() === "PUT" && ++puts <= 2 ? route.abort("connectionreset") : route.continue()),
  );
  await page.route("**/job/submit", (route) => route.abort("connectionreset"));
  await start(1).click();
  await page.getByText("The connection was lost. It is tried again.").waitFor();
  await page.getByText("The server checks the files").or(page.getByText("The connection was lost. It is tried again.")).waitFor();
  // The upload comes through at the third try, and is known to be sent in the browser's database.
  await until(() =>
    page.evaluate(async () => {
      const db = await new Promise((resolve) => (indexedDB.open("bakta-web").onsuccess = (e) => resolve(e.target.result)));
      const jobs = await new Promise((resolve) => (db.transaction("jobs").objectStore("jobs").getAll().onsuccess = (e) => resolve(e.target.result)));
      db.close();
      return jobs.length === 1 && jobs[0].pending.files[0].sent;
    }),
  );
  page.on("dialog", (dialog) => void dialog.accept());
  await page.unroute("**/job/submit");
  await page.goto(backend.url + "/#/jobs");
  await page.reload();
  await finished(page);
});

test("a link opens a job elsewhere, also a link of the published UI, and no secret is in a URL that is sent", async () => {
  /** @type {string[]} */
  const urls = [];
  await page.goto(backend.url);
  await files().setInputFiles([genome("shared")]);
  await start(1).click();
  await finished(page);
  const job = await page.evaluate(async () => {
    const db = await new Promise((resolve) => (indexedDB.open("bakta-web").onsuccess = (e) => resolve(e.target.result)));
    return new Promise((resolve) => (db.transaction("jobs").objectStore("jobs").getAll().onsuccess = (e) => resolve(e.target.result[0])));
  });
  const other = await (await browser.newContext()).newPage();
  other.on("request", (r) => urls.push(r.url()));
  await other.goto(`${backend.url}/#/job/${job.id}/${job.secret}`);
  await other.getByRole("heading", { name: "shared" }).waitFor();
  await other.waitForURL(`${backend.url.replace(/\/$/, "")}/#/job/${job.id}`);
  assert.deepEqual(urls.filter((url) => new URL(url, backend.url).href.split("#")[0].includes(job.secret)), []);
  await other.context().close();

  const published = await (await browser.newContext()).newPage();
  const share = Buffer.from(JSON.stringify({ jobID: job.id, secret: job.secret, workflowKind: "bakta" })).toString("base64");
  await published.goto(`${backend.url}/job/${share}/bakta`);
  await published.getByRole("heading", { name: "shared" }).waitFor();
  await published.waitForURL(`${backend.url.replace(/\/$/, "")}/#/job/${job.id}`);
  await published.context().close();
});

test("a thousand jobs are one request, and scroll and filter", async () => {
  await page.goto(backend.url + "/#/jobs");
  await page.getByText("There are no jobs in this browser").waitFor();
  await accessible("no jobs");
  const jobs = Array.from({ length: 1000 }, (_, i) => ({
    id: `00000000-0000-4000-8000-${String(i).padStart(12, "0")}`, secret: "a".repeat(32), name: `genome ${i}`, workflow: "bakta", batch: "", added: new Date(2026, 0, 1, 0, 0, i).toISOString(),
  }));
  const list = { format: "bakta-web jobs", version: 1, server: backend.url, jobs };
  await page.getByLabel("A saved list of jobs").setInputFiles([{ name: "list.json", mimeType: "", buffer: Buffer.from(JSON.stringify(list)) }]);
  await page.getByText("1,000 of 1,000 jobs were new here.").waitFor();
  await page.getByText("Not on the server").first().waitFor();
  assert.ok((await page.locator(".virtual-row").count()) < 60);
  // The heads of the columns sort, by the keyboard, too, and the next visit has the same order.
  const head = (name) => page.getByRole("columnheader", { name });
  const first = async (name, what) => until(async () => (await page.locator(".virtual-row").first().getByRole("link").textContent()) === name, what);
  assert.equal(await head("Time").getAttribute("aria-sort"), "descending");
  await first("genome 999", "the newest is first");
  await head("Name").getByRole("button").focus();
  await page.keyboard.press("Enter");
  await first("genome 0", "sorted by name, as numbers");
  assert.equal(await head("Name").getAttribute("aria-sort"), "ascending");
  assert.equal(await head("Time").getAttribute("aria-sort"), "none");
  await page.keyboard.press("Space");
  await first("genome 999", "from the end");
  await head("Time").getByRole("button").click();
  await head("Time").getByRole("button").click();
  await first("genome 0", "the oldest is first");
  await page.reload();
  await page.getByText("Not on the server").first().waitFor();
  await first("genome 0", "the order is remembered");
  assert.equal(await head("Time").getAttribute("aria-sort"), "ascending");
  await accessible("sorted jobs");
  await page.getByLabel("Search jobs").fill("genome 77");
  await page.getByText("genome 777").waitFor();
  await until(async () => (await page.locator(".virtual-row").count()) === 11, "11 jobs are shown");
  await page.getByLabel("Select all").check();
  await page.getByText("11 selected").waitFor();
  await accessible("selected jobs");
  await page.getByRole("button", { name: "Delete" }).click();
  await accessible("the question");
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await page.getByText("No job fits.").waitFor();
  const saved = page.waitForEvent("download");
  await page.getByRole("button", { name: "Save the list" }).click();
  const kept = JSON.parse(readFileSync(await (await saved).path(), "utf8"));
  assert.equal(kept.jobs.length, 989);
});

test("the reason of a failure is where the eye falls first, and the job can run again", async () => {
  const failing = await startBackend({ env: { BAKTA_STAND_IN_FAIL: "error" } });
  try {
    await page.goto(failing.url);
    await files().setInputFiles([genome("fails")]);
    await start(1).click();
    await page.getByRole("alert").getByText("played failure!").waitFor();
    await accessible("a failed job");
    await page.getByRole("link", { name: "Jobs" }).first().click();
    await page.getByRole("table").getByText("played failure!").waitFor();
  } finally {
    await failing.stop();
  }
});

test("a job that runs shows its steps and its log, and the next one its place in the queue", async () => {
  const slow = await startBackend({ env: { BAKTA_STAND_IN_STEP_DELAY: "500ms" } });
  try {
    await page.goto(slow.url);
    await files().setInputFiles([genome("one"), genome("two")]);
    await start(2).click();
    await page.getByRole("link", { name: "See the jobs" }).click();
    await page.getByRole("row").getByText(/^1 of 1 in the queue/).waitFor();
    const running = page.getByRole("row").filter({ has: page.getByRole("progressbar") });
    await running.getByText(/^ ?\d+ of \d+$/).waitFor();
    await running.getByRole("link").click();
    const step = async () => Number(await page.getByRole("progressbar", { name: "Steps" }).getAttribute("aria-valuenow"));
    const log = async () => ((await page.getByLabel("Output of the stage").textContent()) ?? "").length;
    const [firstStep, firstLog] = [await step(), await log()];
    await until(async () => (await step()) > firstStep && (await log()) > firstLog, "step and log go on");
  } finally {
    await slow.stop();
  }
});

test("a sheet sets every option that the server takes", async () => {
  await page.goto(backend.url);
  const { options } = await (await fetch(`${new URL(backend.url).origin}/api/v2/options`)).json();
  const values = { genus: "Escherichia", species: "coli", strain: "K-12", plasmid: "p1", locus: "ECO", locus_tag: "ECO12", locus_tag_increment: "5", min_contig_length: "300" };
  const cells = options
    .filter((o) => o.workflow_kinds.includes("bakta"))
    .map((o) => [o.name, values[o.name] ?? (o.choices.length > 0 ? o.choices.at(-1) : o.kind === "switch" || o.kind === "step" ? "yes" : undefined)]);
  for (const [name, value] of cells) assert.notEqual(value, undefined, `the test has no value of ${name}`);
  const quoted = cells.map(([, value]) => `"${value}"`);
  const sheet = `genome,${cells.map(([name]) => name).join(",")}\na.fna,${quoted.join(",")}\nb.fna${",".repeat(cells.length)}\n`;
  await files().setInputFiles([genome("a"), genome("b"), { name: "all.csv", mimeType: "", buffer: Buffer.from(sheet) }]);
  await page.getByText("is the sample sheet, with 2 samples").waitFor();
  /** @type {object[]} */
  const sent = [];
  await page.route("**/job/submit", (route) => {
    sent.push(route.request().postDataJSON().config);
    return route.fulfill({ json: {} });
  });
  await start(2).click();
  await until(async () => sent.length === 2, "both are started");
  const [full, blank] = sent.sort((a, b) => Object.keys(b).length - Object.keys(a).length);
  const expected = cells.map(([name, value]) => [name, value === "yes" ? true : options.find((o) => o.name === name).kind === "number" ? Number(value) : value]);
  assert.deepEqual(Object.fromEntries(Object.entries(full).sort()), Object.fromEntries(expected.sort()));
  assert.deepEqual(blank, {});
});

test("the page says that the server is away, and goes on when it is back", async () => {
  const listen = `127.0.0.1:${await freePort()}`;
  const first = await startBackend({ listen });
  const data = first.data;
  try {
    await page.goto(first.url);
    await files().setInputFiles([genome("before")]);
    await start(1).click();
    await finished(page);
  } finally {
    await first.stop(true);
  }
  await page.getByRole("link", { name: "Annotate" }).click();
  await files().setInputFiles([genome("meanwhile")]);
  await start(1).click();
  await page.getByText("The connection was lost. It is tried again.").waitFor();
  const second = await startBackend({ data, listen });
  try {
    await finished(page);
    await page.getByRole("heading", { name: "meanwhile" }).waitFor();
  } finally {
    await second.stop();
  }
});
