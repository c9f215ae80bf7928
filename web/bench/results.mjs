// Measures the results of large jobs in Chromium against the bounds that the page is to keep, and prints a line for each. It exits with 1
// if a bound is missed. The figures are the least of three runs: what else the machine does only adds to them. Work is measured in time of
// the processor, of the page's main thread, so that a busy machine does not change it.
import { bakta } from "../test/annotation.mjs";
import { startBackend, startBrowser } from "../test/backend.mjs";
import { runJob } from "../test/job.mjs";
import { longest, print } from "./measure.mjs";

const runs = 3;
const [backend, browser] = await Promise.all([startBackend(), startBrowser()]);

async function measure(job) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 1000 } });
  const page = await context.newPage();
  // The job is known to this browser, and the page is at the list of jobs.
  await page.goto(`${backend.url}/#/job/${job.job_id}/${job.secret}`);
  await page.locator(".grid-row").first().waitFor();
  await page.goto("about:blank");
  await page.goto(`${backend.url}/#/jobs`);
  const link = page.locator(`main a[href*="${job.job_id}"]`).first();
  await link.waitFor();
  await page.waitForLoadState("networkidle");
  const session = await context.newCDPSession(page);
  await session.send("Performance.enable", { timeDomain: "threadTicks" });
  const busy = async () => {
    const { metrics } = await session.send("Performance.getMetrics");
    return 1000 * metrics.find((m) => m.name === "TaskDuration").value;
  };
  const before = await busy();
  const shown = await link.evaluate(async (a) => {
    const began = performance.now();
    a.click();
    let table = 0;
    for (;;) {
      await new Promise((resolve) => requestAnimationFrame(resolve));
      if (table === 0 && document.querySelector(".grid-row") !== null) table = performance.now() - began;
      if (table !== 0 && document.querySelector(".plot-canvas[aria-busy=false]") !== null) return { table, all: performance.now() - began };
    }
  });
  const own = (await busy()) - before;
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 1000))); // the map's finer lines are drawn when it is at rest
  const grid = page.getByRole("grid");
  const scroll = await longest(browser, page, () =>
    grid.evaluate(async (g) => {
      for (let i = 0; i < 60; i++) {
        g.scrollTop = i % 2 === 0 ? (i * g.scrollHeight) / 60 : g.scrollTop + 500;
        await new Promise((resolve) => requestAnimationFrame(resolve));
      }
      g.scrollTop = 0;
    }),
  );
  const search = page.getByRole("searchbox", { name: "Search" });
  const filter = await longest(browser, page, async () => {
    for (const text of ["kinase", "WP_1000", "COG:K", "TEST_0001", "e", ""]) {
      await search.fill("");
      await search.pressSequentially(text);
    }
    await page.getByRole("combobox", { name: "Kind" }).selectOption("tRNA");
    await page.getByRole("combobox", { name: "Kind" }).selectOption("");
    for (const column of ["Length", "Product", "Gene", "Locus tag"]) await page.getByRole("columnheader", { name: column }).getByRole("button").click();
  });
  await context.close();
  return { ...shown, own, scroll, filter };
}

try {
  for (const features of [5_000, 12_000]) {
    const job = await runJob(backend.url, "baktfold", { bakta_json: JSON.stringify(bakta({ features })) }, { name: `features_${features}` });
    if (job.status !== "successful") throw new Error(`the job ended as ${job.status}`);
    const all = [];
    for (let n = 0; n < runs; n++) all.push(await measure(job));
    const least = (key) => Math.min(...all.map((m) => m[key]));
    const of = `${features.toLocaleString("en")} features`;
    const grown = features / 5_000; // the bounds of time are those of 5,000 features
    print(`${of}, from the click to the table`, least("table"), "ms", 1000 * grown);
    print(`${of}, from the click to table and map`, least("all"), "ms", 1000 * grown);
    print(`${of}, the page's own work until then`, least("own"), "ms", 500 * grown);
    print(`${of}, longest task of scrolling`, least("scroll"), "ms", 50);
    print(`${of}, longest task of filtering and sorting`, least("filter"), "ms", 50);
  }
} finally {
  await browser.close();
  await backend.stop();
}
