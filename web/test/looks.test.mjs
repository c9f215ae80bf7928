// Every view as people see it, on a desk and on a phone, light and dark. PICTURES=directory makes pictures of them to look at.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { after, before, test } from "node:test";
import axe from "axe-core";
import { startBackend, startBrowser } from "./backend.mjs";

const pictures = process.env["PICTURES"];

/** @type {Awaited<ReturnType<typeof startBackend>>} */
let backend;
/** @type {import("playwright-core").Browser} */
let browser;

before(async () => {
  [backend, browser] = await Promise.all([startBackend(), startBrowser()]);
  if (pictures !== undefined) mkdirSync(pictures, { recursive: true });
});
after(async () => {
  await browser?.close();
  await backend?.stop();
});

const sequence = (n) => "ACGTTGCAAC".repeat(Math.ceil(n / 10)).slice(0, n);
const file = (name, text) => ({ name, mimeType: "", buffer: Buffer.from(text) });
const id = (i) => `00000000-0000-4000-8000-${String(i).padStart(12, "0")}`;

/** What a server says of a thousand jobs in every state. */
function stateOf(/** @type {number} */ i) {
  const at = (minutes) => new Date(Date.now() - minutes * 60_000).toISOString();
  const kind = i % 10 === 3 ? "bakta_baktfold" : "bakta";
  const job = { job_id: id(i), workflow_kind: kind, result_kind: "bakta", started: at(i + 30), updated: at(i), name: `Isolate ${i} Klebsiella pneumoniae ST${i % 300}` };
  switch (i % 10) {
    case 0:
      return { ...job, status: "running", began: at(12), stage: "bakta", progress: { step: 7, steps: 22, text: "predict CRISPR arrays" }, expected: { end: at(-9) } };
    case 3:
      return { ...job, status: "running", began: at(50), stage: "baktfold", progress: { step: 2, steps: 5, text: "predict structures of 412 hypothetical proteins" } };
    case 1:
      return { ...job, status: "init", waiting: true, queue: { place: 4, length: 212 }, expected: { start: at(-40) } };
    case 2:
      return {
        ...job, status: "error", began: at(90), ended: at(60),
        failure: { code: "out_of_memory", stage: "bakta", message: "Bakta needed more than the 8 GiB of memory that this server gives a job; the step was the search for homologous proteins" },
      };
    default:
      return { ...job, status: "successful", began: at(i + 25), ended: at(i + 5), expires: at(-40_000) };
  }
}

const looks = {
  desk: { viewport: { width: 1280, height: 860 }, colorScheme: "light" },
  "desk-dark": { viewport: { width: 1280, height: 860 }, colorScheme: "dark" },
  phone: { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true, colorScheme: "light", deviceScaleFactor: 2 },
  "phone-dark": { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true, colorScheme: "dark", deviceScaleFactor: 2 },
};

for (const [look, options] of Object.entries(looks)) {
  test(`every view, ${look}`, async () => {
    const context = await browser.newContext({ ...options, bypassCSP: true, reducedMotion: "reduce", locale: "en-GB" });
    const page = await context.newPage();
    const complaints = [];
    page.on("pageerror", (error) => complaints.push(String(error)));
    /** Checks a view: nothing is wider than the screen, and on the phone axe-core finds nothing. The desk's views are checked in other tests. */
    const seen = async (/** @type {string} */ view, whole = false) => {
      if (pictures !== undefined) await page.screenshot({ path: `${pictures}/${view}-${look}.png`, fullPage: whole });
      const wide = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(wide[0] <= wide[1], `${view} is ${wide[0]} px wide on ${wide[1]} px`);
      if (!look.startsWith("phone")) return;
      await page.evaluate(axe.source + ";0");
      const found = await page.evaluate(async () => {
        const { violations } = await globalThis.axe.run({ resultTypes: ["violations"] });
        return violations.map((v) => `${v.id}: ${v.nodes.map((n) => `${n.html.slice(0, 160)} ${n.failureSummary}`).slice(0, 3).join(" | ")}`);
      });
      assert.deepEqual(found, [], view);
    };

    await page.goto(backend.url);
    await page.getByText("Drop genomes here").waitFor();
    await seen("first");
    await page.locator("input[type=file]").first().setInputFiles([
      file("Escherichia_coli_K12_substrain_MG1655_assembly_2026-01-02_final.fna", `>chromosome complete\n${sequence(400_000)}\n`),
      file("small.fna", `>a\n${sequence(3000)}\n`),
      file("isolate_17.fna", `>contig_1\n${sequence(3000)}\n>contig_2\nACGT??\n`),
      file("p.faa", ">p\nMKRELLQWFIDE\n"),
      file("letter.docx", "PK\x03\x04"),
      file("samples.csv", "name,genome,genus,strain\nK12,Escherichia_coli_K12_substrain_MG1655_assembly_2026-01-02_final.fna,Escherichia,MG1655\nlost,not_here.fna,,\n"),
    ]);
    await page.getByRole("button", { name: "Start 3 jobs", disabled: false }).waitFor();
    await page.getByLabel("Plasmid").fill("plasmid one");
    await page.getByText(/has the word "plasmid"/).waitFor();
    await seen("files", true);
    await page.getByLabel("Plasmid").fill("");
    await page.getByRole("button", { name: "Remove all" }).click();

    // A thousand jobs in every state.
    await page.route("**/api/v2/job/list", (route) => {
      const { jobs } = route.request().postDataJSON();
      const known = jobs.filter((job) => job.job_id.startsWith("00000000"));
      return route.fulfill({
        json: { jobs: known.map((job) => stateOf(Number(job.job_id.slice(-12)))), failed_jobs: jobs.filter((job) => !known.includes(job)).map((job) => ({ job_id: job.job_id, status: "not_found" })) },
      });
    });
    const content = Array.from({ length: 60 }, (_, i) => `predict ${["tRNAs", "rRNAs", "CDSs", "sORFs"][i % 4]}...\n\tfound: ${i * 37}\n`).join("");
    await page.route("**/api/v2/job/logs", (route) =>
      route.fulfill({ json: { workflow_kind: "bakta_baktfold", stages: [{ stage: "bakta", status: "succeeded", content }, { stage: "baktfold", status: "running", content: `${content}${"a long line ".repeat(40)}\n` }] } }),
    );
    await page.route("**/api/v2/job/result", (route) => route.fulfill({ status: 400, json: "The job failed before it had results." }));
    await page.goto(`${backend.url}#/jobs`);
    const jobs = Array.from({ length: 1000 }, (_, i) => ({ id: id(i), secret: "a".repeat(32), name: `job ${i}`, workflow: "bakta", batch: "", added: new Date(Date.now() - i * 60_000).toISOString() }));
    const list = { format: "bakta-web jobs", version: 1, server: new URL(backend.url).origin, jobs };
    await page.getByLabel("A saved list of jobs").setInputFiles([file("list.json", JSON.stringify(list))]);
    await page.getByText("1,000 of 1,000 jobs were new here.").waitFor();
    await page.getByRole("button", { name: "Failed 100" }).waitFor();
    await seen("jobs");
    await page.goto(`${backend.url}#/job/${id(2)}`);
    await page.getByRole("heading", { name: "Bakta failed" }).waitFor();
    await page.getByText("There are no results.").or(page.getByText("this early has no results")).waitFor();
    await seen("failed");
    await page.goto(`${backend.url}#/job/${id(3)}`);
    await page.getByText("predict structures of").first().waitFor();
    await page.getByText("a long line").first().waitFor();
    await seen("running");
    await page.goto(`${backend.url}#/job/${id(1)}`);
    await page.getByText("4 of 212 in the queue").waitFor();
    await seen("waiting");
    assert.deepEqual(complaints, []);
    await context.close();
  });
}
