// What the server puts off or refuses, and what the connection loses, in the middle of much work.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { freePort, startBackend, startBrowser, until } from "./backend.mjs";
import { pageOf, runJob } from "./job.mjs";

/** @type {Awaited<ReturnType<typeof startBackend>>} */
let backend;
/** @type {import("playwright-core").Browser} */
let browser;
/** @type {import("playwright-core").Page} */
let page;

before(async () => {
  [backend, browser] = await Promise.all([startBackend(), startBrowser()]);
});
after(async () => {
  await browser?.close();
  await backend?.stop();
});
beforeEach(async () => {
  page = await (await browser.newContext({ viewport: { width: 1280, height: 14_000 }, deviceScaleFactor: 0.2 })).newPage(); // all rows are in sight
});
afterEach(async () => {
  await page.context().close();
});

const sequence = (n) => "ACGTTGCAAC".repeat(Math.ceil(n / 10)).slice(0, n);
const genome = (name, n = 3000) => ({ name: `${name}.fna`, mimeType: "", buffer: Buffer.from(`>a\n${sequence(n)}\n`) });
const choose = (files) => page.locator("input[type=file]").first().setInputFiles(files);
const row = (name) => page.locator(".sample").filter({ has: page.getByLabel("Name of the job").and(page.locator(`[value="${name}"]`)) });
const putOff = (after, text) => ({ status: 429, headers: { "Retry-After": String(after) }, body: JSON.stringify(text) });

/** The jobs that this browser keeps. */
const kept = () =>
  page.evaluate(async () => {
    const db = await new Promise((resolve) => (indexedDB.open("bakta-web").onsuccess = (e) => resolve(e.target.result)));
    const jobs = await new Promise((resolve) => (db.transaction("jobs").objectStore("jobs").getAll().onsuccess = (e) => resolve(e.target.result)));
    db.close();
    return jobs;
  });

test("a limit and a refused start in the middle of a hundred files concern their rows, and a reload loses nothing", async () => {
  // The server's own limits can't be set in local mode: these answers are in their form.
  let inits = 0;
  await page.route("**/api/v2/job/init", (route) => {
    inits++;
    if (inits === 16) return route.fulfill(putOff(1, "Too many jobs are not started."));
    return inits > 31 ? route.fulfill(putOff(3600, "The limit of 30 jobs an hour is reached.")) : route.continue();
  });
  let refused = "";
  await page.route("**/api/v2/job/submit", (route) => {
    const { job } = route.request().postDataJSON();
    refused ||= job.job_id;
    return job.job_id === refused ? route.fulfill({ status: 403, body: JSON.stringify("This project may start no more jobs.") }) : route.continue();
  });
  await page.goto(backend.url);
  const names = Array.from({ length: 100 }, (_, i) => `g${i}`);
  await choose([...names.map((name) => genome(name)), { name: "odd.fna", mimeType: "", buffer: Buffer.from(">a\nACGT??\n") }]);
  await page.getByRole("button", { name: "Start 100 jobs", disabled: false }).click();
  await page.getByText("Too many jobs are not started. The page tries again by itself at ").waitFor();
  await page.getByText("Too many jobs are not started.").waitFor({ state: "detached" }); // it has gone on
  await until(async () => (await page.getByText("The limit of 30 jobs an hour is reached. The page tries again by itself at ").count()) === 3, "three rows wait");
  await page.getByText("29 jobs started").waitFor();
  assert.equal(await page.locator(".sample.failed").count(), 1);
  await page.locator(".sample.failed").getByText("This project may start no more jobs.").waitFor();
  await page.locator(".sample.refused").getByText("has the character '?'").waitFor();
  // One that waits can be cancelled, and the next takes its turn.
  const asked = inits;
  await page.locator(".sample.creating").first().getByRole("button", { name: /^Cancel/ }).click();
  await page.locator(".sample.cancelled").waitFor();
  await until(async () => inits > asked, "the next one asks the server");
  const started = (await kept()).filter((job) => job.pending === undefined).map((job) => job.id);
  assert.equal(started.length, 29);

  page.on("dialog", (dialog) => void dialog.accept()); // the browser asks whether to leave
  await page.goto(backend.url + "/#/jobs");
  await page.reload();
  await page.getByRole("button", { name: "All 30" }).waitFor();
  await page.getByRole("row").filter({ hasText: "This project may start no more jobs." }).waitFor();
  await until(async () => (await kept()).filter((job) => job.last !== undefined && job.gone === undefined).length >= 29, "the server knows them");
  assert.deepEqual((await kept()).map((job) => job.id).sort(), [...started, refused].sort());
});

test("an upload is cancelled, and begun again", async () => {
  const hold = [];
  await page.route((url) => url.port !== new URL(backend.url).port, (route) => (route.request().method() === "PUT" && hold.push(route) === 1 ? undefined : route.continue()));
  await page.goto(backend.url);
  await choose([genome("first"), genome("second")]);
  await page.getByRole("button", { name: "Start 2 jobs", disabled: false }).click();
  await until(async () => hold.length >= 1, "an upload hangs");
  const sending = page.locator(".sample.sending");
  await page.getByText("1 job started").waitFor();
  const deleted = page.waitForRequest("**/api/v2/job/delete");
  await sending.getByRole("button", { name: /^Cancel/ }).click();
  const cancelled = page.locator(".sample.cancelled");
  await cancelled.getByText("Cancelled").first().waitFor();
  await deleted;
  await until(async () => (await kept()).length === 1, "the job of the cancelled upload is forgotten");
  await cancelled.getByRole("button", { name: "Try again" }).click();
  await page.getByText("2 jobs started").waitFor();
});

test("the server goes away while files are sent, and comes back", async () => {
  const listen = `127.0.0.1:${await freePort()}`;
  const first = await startBackend({ listen });
  let second;
  try {
    await page.goto(first.url);
    const names = Array.from({ length: 12 }, (_, i) => `w${i}`);
    await choose(names.map((name) => genome(name, 200_000)));
    // The first uploads hang until the server is away, so that it is in the middle of them.
    const held = [];
    const isStorage = (url) => url.port !== new URL(first.url).port;
    await page.route(isStorage, (route) => void (route.request().method() === "PUT" && held.length < 3 ? held.push(route) : route.continue().catch(() => {})));
    await page.getByRole("button", { name: "Start 12 jobs", disabled: false }).click();
    await until(async () => held.length === 3, "three files are on their way");
    await first.stop(true);
    for (const route of held) await route.continue();
    await until(async () => (await page.getByText("The connection was lost. It is tried again.").count()) === 3, "the rows say so");
    // It comes back with its storage at another port, as local mode does: the links of before lead nowhere.
    second = await startBackend({ data: first.data, listen });
    await page.getByText("12 jobs started").waitFor();
    assert.equal((await kept()).length, 12);
  } finally {
    await (second ?? first).stop();
  }
});

test("a storage without space says so at its row, and the upload is not repeated", async () => {
  let puts = 0;
  const body = '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>InsufficientStorage</Code><Message>Only 3 &amp; no more GB are free.</Message></Error>\n';
  await page.route(
    (url) => url.port !== new URL(backend.url).port,
    (route) => {
      if (route.request().method() !== "PUT" || ++puts > 1) return route.continue();
      return route.fulfill({ status: 507, contentType: "application/xml", headers: { "Access-Control-Allow-Origin": "*" }, body });
    },
  );
  await page.goto(backend.url);
  await choose([genome("large")]);
  await page.getByRole("button", { name: "Start 1 job", disabled: false }).click();
  await page.locator(".sample.failed").getByText("The storage answered the upload with status 507: Only 3 & no more GB are free.").waitFor();
  assert.equal(puts, 1);
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByRole("heading", { name: "Files" }).waitFor();
  await until(async () => (await kept()).length === 1, "the job that was refused is forgotten"); // beside the upload of the new one
});

test("a job is as before when another server has answered at its address for a while", async () => {
  const listen = `127.0.0.1:${await freePort()}`;
  const first = await startBackend({ listen });
  let second;
  try {
    await page.goto(first.url);
    await choose([genome("mine")]);
    await page.getByRole("button", { name: "Start 1 job", disabled: false }).click();
    await page.locator(".state.successful").first().waitFor();
    await page.goto(first.url + "/#/jobs");
    await first.stop(true);
    second = await startBackend({ listen });
    await page.reload();
    // A job that ended is not asked for, so an open page may ask for it just as the other server runs: here, the kept job says so.
    await page.evaluate(async () => {
      const db = await new Promise((resolve) => (indexedDB.open("bakta-web").onsuccess = (e) => resolve(e.target.result)));
      const store = db.transaction("jobs", "readwrite").objectStore("jobs");
      const [job] = await new Promise((resolve) => (store.getAll().onsuccess = (e) => resolve(e.target.result)));
      await new Promise((resolve) => (store.put({ ...job, last: undefined }).onsuccess = resolve));
      db.close();
    });
    await page.reload();
    await page.getByText("Not on the server").waitFor();
    assert.equal((await kept())[0].gone, "not_found");
    await second.stop();
    second = await startBackend({ listen, data: first.data });
    await page.reload();
    await page.locator(".state.successful").first().waitFor();
    await page.getByRole("link", { name: "mine" }).click();
    await page.getByRole("heading", { name: "Files" }).waitFor();
  } finally {
    await (second ?? first).stop();
  }
});

test("a failed job is run again once, though the answer is lost with the page", async () => {
  const failing = await startBackend({ env: { BAKTA_STAND_IN_FAIL: "traceback" } });
  try {
    await page.goto(failing.url);
    await choose([genome("fails")]);
    await page.getByRole("button", { name: "Start 1 job", disabled: false }).click();
    const again = page.getByRole("button", { name: "Run again" });
    await again.waitFor();
    const keys = [];
    let made;
    await page.route("**/api/v2/job/rerun", async (route) => {
      keys.push(route.request().postDataJSON().request_key);
      if (keys.length > 1) return route.continue();
      made = await (await route.fetch()).json(); // and the page never hears of it
    });
    await again.dblclick();
    await until(async () => made !== undefined, "the server has run it again");
    assert.equal(await again.isDisabled(), true);
    await page.reload();
    await again.click();
    await page.waitForURL(new RegExp(`#/job/${made.job.job_id}$`));
    assert.equal(keys.length, 2);
    assert.equal(keys[0], keys[1]);
    assert.equal((await kept()).length, 2);
  } finally {
    await failing.stop();
  }
});

test("what the server puts off is done when it says: results, a deletion", async () => {
  const once = new Set();
  const first = (/** @type {string} */ path, /** @type {object} */ answer) =>
    page.route(`**/api/v2/job/${path}`, (route) => {
      if (once.has(path)) return route.continue();
      once.add(path);
      return route.fulfill(answer);
    });
  await first("result", { status: 503, headers: { "Retry-After": "1" }, body: JSON.stringify("The object storage is down.") });
  await first("delete", putOff(1, "Too many calls."));
  await page.goto(backend.url);
  await choose([genome("putoff")]);
  await page.getByRole("button", { name: "Start 1 job", disabled: false }).click();
  await page.getByText("The object storage is down. The page tries again by itself at ").waitFor();
  await page.getByRole("heading", { name: "Files" }).waitFor();
  await page.getByRole("link", { name: "Jobs" }).first().click();
  await page.getByLabel("Select putoff").check();
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await page.getByRole("row").getByText("Too many calls. The page tries again by itself at ").waitFor();
  await page.getByText("There are no jobs in this browser").waitFor();
});

test("polling is one request for all jobs, slower the longer nothing changes, and slower still while the page is hidden", async () => {
  await page.clock.install();
  const asked = [];
  await page.route("**/api/v2/job/list", async (route) => {
    const { jobs } = route.request().postDataJSON();
    asked.push({ at: await page.evaluate(() => Date.now()), jobs: jobs.length });
    const now = new Date(0).toISOString(); // nothing changes
    await route.fulfill({ json: { jobs: jobs.map((job) => ({ job_id: job.job_id, status: "running", workflow_kind: "bakta", result_kind: "bakta", started: now, updated: now, name: "n" })), failed_jobs: [] } });
  });
  await page.goto(backend.url + "/#/jobs");
  const jobs = Array.from({ length: 60 }, (_, i) => ({
    id: `00000000-0000-4000-8000-${String(i).padStart(12, "0")}`, secret: "a".repeat(32), name: "n", workflow: "bakta", batch: "", added: new Date(0).toISOString(),
  }));
  const list = { format: "bakta-web jobs", version: 1, server: new URL(backend.url).origin, jobs };
  await page.getByLabel("A saved list of jobs").setInputFiles([{ name: "list.json", mimeType: "", buffer: Buffer.from(JSON.stringify(list)) }]);
  await page.getByText("60 of 60 jobs were new here.").waitFor();
  /** Lets the page's time go on until it has asked so often: minutes of it pass in a moment. */
  const pass = async (n, step) => {
    for (let i = 0; asked.length < n; i++) {
      assert.ok(i < 500, `there are ${asked.length} requests, not ${n}`);
      await page.clock.runFor(step);
    }
  };
  await pass(5, 500);
  await pass(18, 2_000);
  assert.ok(asked.every((a) => a.jobs === 60), "each request is for all jobs");
  const pauses = () => asked.slice(1).map((a, i) => a.at - asked[i].at);
  const seen = pauses();
  assert.ok(seen[1] < 4_000, `it begins quickly: ${seen}`);
  assert.ok(seen.at(-1) >= 25_000 && seen.at(-1) < 45_000, `it becomes slow: ${seen}`);
  await page.evaluate(() => Object.defineProperty(document, "hidden", { configurable: true, get: () => true }));
  const before = asked.length;
  await pass(before + 3, 5_000);
  assert.ok(pauses().at(-1) >= 55_000, `it is slower while it is hidden: ${pauses().slice(before - 1)}`);
  // Seen again, it asks at once.
  await page.evaluate(() => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => false });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  const count = asked.length;
  await page.clock.runFor(1_500);
  await until(async () => asked.length > count, "it asks when it is seen again");
});

test("results and log of a job that has ended are there when the connection is back, also if the job failed", async () => {
  const failing = await startBackend({ env: { BAKTA_STAND_IN_FAIL: "error" } });
  try {
    for (const [server, end] of /** @type {const} */ ([[backend, "successful"], [failing, "error"]])) {
      const origin = new URL(server.url).origin;
      const job = await runJob(origin, "bakta", { genome_fasta: genome("lost").buffer });
      assert.equal(job.status, end);
      const asked = { result: 0, logs: 0 };
      for (const path of /** @type {const} */ (["result", "logs"])) {
        await page.route(`${origin}/api/v2/job/${path}`, (route) => (++asked[path] <= 2 ? route.abort("connectionreset") : route.continue()));
      }
      await page.goto(pageOf(origin, job));
      await page.getByText("The connection was lost. It is tried again.").waitFor();
      await (end === "error" ? page.getByText(/no results/) : page.getByRole("heading", { name: "Files" })).waitFor();
      assert.equal(asked.result, 3);
      await page.getByRole("link", { name: "Log", exact: true }).click();
      await page.getByText("The server does not answer. The page tries again.").waitFor();
      await page.getByLabel("Output of the stage").waitFor();
      assert.equal(asked.logs, 3);
    }
  } finally {
    await failing.stop();
  }
});

test("all files are removed while one is sent, which cancels it, after a question", async () => {
  const hold = [];
  await page.route((url) => url.port !== new URL(backend.url).port, (route) => (route.request().method() === "PUT" && hold.push(route) === 1 ? undefined : route.continue()));
  await page.goto(backend.url);
  await choose([genome("first"), genome("second")]);
  await page.getByRole("button", { name: "Start 2 jobs", disabled: false }).click();
  await page.getByText("1 job started").waitFor();
  const all = page.getByRole("button", { name: "Remove all" }).first();
  await all.click();
  await page.getByRole("dialog").getByText("1 job on the way to the server will be cancelled.").waitFor();
  await page.getByRole("dialog").getByRole("button", { name: "Keep" }).click();
  assert.equal(await page.locator(".sample").count(), 2);
  await all.click();
  const deleted = page.waitForRequest("**/api/v2/job/delete");
  await page.getByRole("dialog").getByRole("button", { name: "Remove all" }).click();
  await deleted;
  await page.getByText("Drop genomes here").waitFor();
  await until(async () => (await kept()).length === 1, "the job of the cancelled upload is forgotten");
  await choose([genome("third")]);
  await page.locator(".sample").filter({ hasText: "third.fna" }).waitFor();
  assert.equal(await page.getByRole("dialog").count(), 0);
});

test("a refused start is tried again with the options as they are now, and its row stays when the others have gone", async () => {
  let refused = "";
  await page.route("**/api/v2/job/submit", (route) => {
    const { job, config } = route.request().postDataJSON();
    refused ||= job.job_id;
    return job.job_id === refused && config.genus === undefined ? route.fulfill({ status: 400, body: JSON.stringify("This project wants a genus.") }) : route.continue();
  });
  await page.goto(backend.url);
  await choose([genome("first"), genome("second")]);
  await page.getByRole("button", { name: "Start 2 jobs", disabled: false }).click();
  await page.locator(".sample.failed").getByText("This project wants a genus.").waitFor();
  await page.getByText("1 job could not be started · 1 job started").waitFor();
  await page.getByRole("link", { name: "See the jobs" }).click();
  await page.getByRole("row").filter({ hasText: "This project wants a genus." }).waitFor();
  await page.getByRole("link", { name: "Annotate", exact: true }).click();
  assert.equal(await page.locator(".sample").count(), 1);
  await page.getByLabel("Genus").fill("Escherichia");
  const sent = page.waitForRequest("**/api/v2/job/submit");
  await page.getByRole("button", { name: "Try again" }).click();
  assert.equal((await sent).postDataJSON().config.genus, "Escherichia");
  await page.getByRole("heading", { name: "Files" }).waitFor();
  assert.equal((await kept()).length, 2);
});

test("a job that expired after a reload names its files, which are chosen again", async () => {
  await page.route((url) => url.port !== new URL(backend.url).port, (route) => (route.request().method() === "PUT" ? undefined : route.continue()));
  await page.goto(backend.url);
  await choose([genome("expires")]);
  await page.getByRole("button", { name: "Start 1 job", disabled: false }).click();
  await page.locator(".sample.sending").waitFor();
  page.on("dialog", (dialog) => void dialog.accept()); // the browser asks whether to leave
  await page.goto(backend.url + "/#/jobs");
  const [job] = await kept();
  await page.request.post(new URL("/api/v2/job/delete", backend.url).href, { data: { job_id: job.id, secret: job.secret } });
  await page.reload();
  await page.unrouteAll();
  await page.getByText("Not on the server").waitFor();
  await page.getByRole("button", { name: "Choose again: expires.fna" }).waitFor();
  const files = page.getByLabel("Files of expires");
  await page.route("**/api/v2/job/init", (route) => route.fulfill({ status: 403, body: JSON.stringify("This project may make no more jobs.") }));
  await files.setInputFiles([genome("expires")]);
  await page.getByRole("row").getByText("This project may make no more jobs.").waitFor();
  await page.unrouteAll();
  await files.setInputFiles([genome("expires")]);
  await page.locator(".state.successful").waitFor();
  await until(async () => (await kept()).length === 1, "the former job is forgotten");
});

test("files are checked when the rules come through at the second try", async () => {
  let loads = 0;
  await page.context().route("**/inspect/inspect.wasm", (route) => (++loads === 1 ? route.abort("connectionreset") : route.continue()));
  await page.goto(backend.url);
  await choose([{ name: "odd.fna", mimeType: "", buffer: Buffer.from(">a\nACGT??\n") }]);
  await page.locator(".sample.refused").getByText("has the character '?'").waitFor();
  assert.equal(loads, 2);
});
