// Measures the first view, a list of a thousand jobs, and a drop of 300 files in Chromium against the bounds that the page is to keep, and
// prints a line for each. It exits with 1 if a bound is missed.
import { linkSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { patience, startBackend, startBrowser } from "../test/backend.mjs";
import { longest, print } from "./measure.mjs";

const runs = 3;
const backend = await startBackend();
const origin = new URL(backend.url).origin;

/** The first view of a browser that was never here: what comes over the wire, with the headers. */
async function firstView(browser) {
  const page = await browser.newPage();
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  const urls = [];
  let size = 0;
  session.on("Network.requestWillBeSent", ({ request }) => urls.push(request.url));
  session.on("Network.loadingFinished", ({ encodedDataLength }) => (size += encodedDataLength));
  await page.goto(backend.url);
  await page.getByText("Drop genomes here").waitFor();
  await page.waitForLoadState("networkidle");
  await page.context().close();
  if (size === 0) throw new Error("nothing was counted");
  // A data: or blob: URL is in the page itself.
  const sent = urls.filter((url) => /^(https?|wss?):/.test(url));
  print(`the first view, compressed, in ${sent.length} requests`, size / 1000, "kB", 120);
  print("the first view, requests to another host", sent.filter((url) => new URL(url).origin !== origin).length, "requests", 0);
}

async function call(path, body) {
  const answer = await fetch(`${origin}/api/v2${path}`, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

/** A thousand jobs that the server has, asked for again and again while the list is used. */
async function thousandJobs(browser) {
  const jobs = [];
  for (let i = 0; i < 1000; i++) {
    const { job } = await call("/job/init", { name: `genome ${i}`, workflow_kind: "bakta" });
    jobs.push({ id: job.job_id, secret: job.secret, name: `genome ${i}`, workflow: "bakta", batch: "", added: new Date(2026, 0, 1, 0, 0, i).toISOString() });
  }
  const all = { scroll: [], filter: [] };
  for (let n = 0; n < runs; n++) {
    const page = await (await browser.newContext({ viewport: { width: 1440, height: 1000 } })).newPage();
    await page.goto(`${origin}/#/jobs`);
    const list = { format: "bakta-web jobs", version: 1, server: origin, jobs };
    await page.getByLabel("A saved list of jobs").setInputFiles([{ name: "list.json", mimeType: "", buffer: Buffer.from(JSON.stringify(list)) }]);
    await page.getByText("1,000 of 1,000 jobs were new here.").waitFor();
    await page.getByText("Not started").first().waitFor(); // the server has answered
    all.scroll.push(
      await longest(browser, page, () =>
        page.evaluate(async () => {
          const root = document.documentElement;
          for (let i = 0; i < 60; i++) {
            root.scrollTop = i % 2 === 0 ? (i * root.scrollHeight) / 60 : root.scrollTop + 500;
            await new Promise((resolve) => requestAnimationFrame(resolve));
          }
          root.scrollTop = 0;
        }),
      ),
    );
    all.filter.push(
      await longest(browser, page, async () => {
        const search = page.getByLabel("Search jobs");
        for (const text of ["genome 77", "e", "9", ""]) {
          await search.fill("");
          await search.pressSequentially(text);
        }
        for (const name of ["Finished", "Active", "All"]) await page.getByRole("group", { name: "Show" }).getByRole("button", { name }).click();
        for (const column of ["Name", "State", "Time"]) await page.getByRole("columnheader", { name: column }).getByRole("button").click();
        await page.getByLabel("Select all").check();
        await page.getByLabel("Select all").uncheck();
      }),
    );
    await page.context().close();
  }
  print("1,000 jobs, longest task of scrolling", Math.min(...all.scroll), "ms", 50);
  print("1,000 jobs, longest task of filtering, sorting and selecting", Math.min(...all.filter), "ms", 50);
}

/**
 * The memory of the page's own process, with its workers, in MB: `page` is what it has allocated, and `all` has also its share of Chromium's
 * program and other files, which is 45 MB for an empty page.
 */
async function memoryOf(session) {
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  const sizes = processInfo.filter((p) => p.type === "renderer").map((p) => {
    let text = "";
    try {
      text = readFileSync(`/proc/${p.id}/smaps_rollup`, "utf8");
    } catch {
      // It has ended.
    }
    const field = (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? 0) / 1000;
    return { page: field("Pss_Anon") + field("Pss_Shmem"), all: field("Pss") };
  });
  return sizes.reduce((a, b) => (b.all > a.all ? b : a)); // the other one is kept empty by Chromium for the next page
}

/** 300 genomes dropped at once: checked, then sent. */
async function manyFiles() {
  const browser = await startBrowser(["--js-flags=--expose-gc"]); // a new one, so that no page before has left anything
  const folder = mkdtempSync(join(tmpdir(), "bakta-web-bench-"));
  try {
    const one = join(folder, "genome");
    const line = `${"ACGTTGCAAC".repeat(6)}\n`;
    writeFileSync(one, `>chromosome\n${line.repeat(Math.ceil(2_000_000 / line.length))}`);
    const files = Array.from({ length: 300 }, (_, i) => join(folder, `genome_${i}.fna`));
    for (const file of files) linkSync(one, file); // Chromium reads each; on the disk they are one
    const page = await browser.newPage();
    const session = await browser.newBrowserCDPSession();
    await page.goto(backend.url);
    await page.getByText("Drop genomes here").waitFor();
    const before = await memoryOf(session);
    let most = before;
    if (before.page === 0) throw new Error("the page's process was not found");
    await page.locator("input[type=file]").first().setInputFiles(files);
    /** Looks at the memory until a condition holds. */
    const watch = async (holds) => {
      let isDone = false;
      const done = holds.finally(() => (isDone = true));
      while (!isDone) {
        const now = await memoryOf(session);
        if (now.page > most.page) most = now;
        await Promise.race([done, new Promise((resolve) => setTimeout(resolve, 100))]);
      }
      await done;
    };
    const start = page.getByRole("button", { name: "Start 300 jobs", disabled: false });
    await watch(start.waitFor({ timeout: 3 * patience }));
    await start.click();
    await watch(page.getByText(/\b([3-9]\d|\d{3}) jobs started/).waitFor({ timeout: 3 * patience }));
    // Chromium collects garbage when it likes. What the page holds is what is left of it.
    const collect = "gc(); gc(); new Promise((resolve) => setTimeout(resolve, 500))";
    for (const context of [...page.workers(), page]) await context.evaluate(collect);
    const text = (m) => `${Math.round(m.page)} MB, and ${Math.round(m.all - m.page)} MB of Chromium's files`;
    const held = await memoryOf(session);
    print(`300 files of 2 MB, memory that the page holds (before: ${text(before)}; now: ${text(held)})`, held.page, "MB", 150);
    print(`300 files of 2 MB, the most, with uncollected garbage (${text(most)})`, most.page, "MB", 150);
  } finally {
    await browser.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

try {
  const browser = await startBrowser();
  try {
    await firstView(browser);
    await thousandJobs(browser);
  } finally {
    await browser.close();
  }
  await manyFiles();
} finally {
  await backend.stop();
}
