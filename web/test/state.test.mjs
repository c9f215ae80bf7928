// What the page does over minutes and hours, and in moments that no browser can be made to hit: its state without a browser, with a clock
// of the tests, on a server and a storage that answer as each test says.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, mock, test } from "node:test";
import { createServer } from "vite";
import { browserDatabase } from "./database.mjs";

let vite;
/** The page's modules, new in each test. */
let page;
/** What was asked of the server: each with its path and its body. */
let asked;
/** The answers by path: functions of the body that return the JSON, or a Response. */
let answers;
/** What the storage answers an upload, by its URL: a status, or "lost" if the connection is. */
let storage;
let uploads;
/** The listeners of the window. */
let events;
/** What the rules were asked, and what they answer: a function of the question and its files. */
let questions;
let rules;
/** How often they were loaded, and why that fails, if it does. */
let loads;
let faultOfRules;

/** As in browsers: a request that is aborted before it is sent has no event. */
class Upload {
  upload = {};
  status = 0;
  responseText = "";
  open(_method, url) {
    this.url = url;
  }
  setRequestHeader() {}
  send() {
    uploads.push(this.url);
    this.status = storage(this.url);
    setImmediate(() => (this.status === "lost" ? this.onerror() : this.onload()));
  }
  abort() {
    if (this.status !== 0) this.onabort();
  }
}

/** The worker with the rules. */
class Rules {
  constructor() {
    loads++;
  }
  postMessage({ id, request, files }) {
    const question = JSON.parse(request);
    questions.push(question);
    const fault = faultOfRules();
    if (fault !== undefined) setImmediate(() => this.onmessage({ data: { id, ...fault } }));
    else setImmediate(() => this.onmessage({ data: { id, answer: JSON.stringify(rules(question, files)) } }));
  }
  terminate() {}
}

before(async () => {
  vite = await createServer({ configFile: false, server: { middlewareMode: true, hmr: false, ws: false, watch: null }, appType: "custom", optimizeDeps: { noDiscovery: true }, logLevel: "error" });
  Object.assign(globalThis, {
    window: globalThis,
    XMLHttpRequest: Upload,
    Worker: Rules,
    addEventListener: (...args) => events.addEventListener(...args),
    removeEventListener: (...args) => events.removeEventListener(...args),
    dispatchEvent: (event) => events.dispatchEvent(event),
    fetch: async (url, { body, signal } = {}) => {
      const path = String(url).replace("/api/v2", "");
      const sent = body === undefined ? undefined : JSON.parse(body);
      asked.push({ path, body: sent });
      const aborted = new Promise((_, fail) => signal?.addEventListener("abort", () => fail(signal.reason)));
      const answer = await Promise.race([answers[path](sent), aborted]);
      return answer instanceof Response ? answer : Response.json(answer);
    },
  });
  delete globalThis.BroadcastChannel; // it would tell the tests of each other
});
after(() => vite?.close());

beforeEach(async () => {
  asked = [];
  uploads = [];
  questions = [];
  loads = 0;
  faultOfRules = () => undefined;
  storage = () => 200;
  let made = 0;
  answers = {
    "/job/init": () => {
      const job = { job_id: `job ${++made}`, secret: "s" };
      return { job, workflow_kind: "bakta", uploads: [{ upload_kind: "genome_fasta", required: true, url: `storage/${job.job_id}` }] };
    },
    "/job/submit": () => ({}),
    "/job/delete": () => null,
    "/job/list": ({ jobs }) => ({ jobs: jobs.map(running), failed_jobs: [] }),
  };
  events = new EventTarget();
  globalThis.document = Object.assign(new EventTarget(), { hidden: false });
  await visit();
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: Date.UTC(2026, 0, 1) });
});
afterEach(() => {
  mock.timers.reset();
  delete globalThis.indexedDB;
});

/** Loads the page's modules again, as a reload does. */
async function visit() {
  vite.moduleGraph.invalidateAll();
  page = {};
  for (const name of ["jobs", "watch", "removal", "repeat", "tasks"]) Object.assign(page, { [name]: await vite.ssrLoadModule(`/src/state/${name}.ts`) });
}

/** Lets everything happen that waits for no time. */
async function settle() {
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** Lets so many seconds pass. */
async function pass(seconds) {
  await settle();
  for (let s = 0; s < seconds; s++) {
    mock.timers.tick(1_000);
    if (s < 200 || s > seconds - 10) await settle(); // an hour in which nothing happens is skipped
  }
}

const count = (path) => asked.filter((a) => a.path === path).length;
const putOff = (after) => new Response(JSON.stringify("Ten starts an hour are allowed."), { status: 429, headers: { "Retry-After": String(after) } });
const missing = () => new Response(JSON.stringify("There is no such job."), { status: 404 });
const running = ({ job_id }) => ({ job_id, status: "running", workflow_kind: "bakta", result_kind: "bakta", started: "", updated: "", name: "n" });
const known = (i, more = {}) => ({ ...page.jobs.known({ job_id: `job ${i}`, secret: "s" }, "n", "bakta"), ...more });
const job = (id) => page.jobs.jobs.value.get(id);
const genome = (content = ">a\nACGT\n") => new File([content], "a.fna");
const begin = (n, file = genome()) =>
  page.tasks.begin(Array.from({ length: n }, (_, key) => ({ key, name: `g${key}`, kind: "bakta", config: {}, files: [{ kind: "genome_fasta", file }] })));
const states = (tasks) => tasks.map((t) => t.state.value);
const sentPending = { config: {}, files: [{ kind: "genome_fasta", name: "a.fna", size: 1, sent: true, url: "" }], refused: "" };

/** The server has these jobs alone. */
function has(ids) {
  answers["/job/list"] = ({ jobs }) => ({
    jobs: jobs.filter((j) => ids.includes(j.job_id)).map(running),
    failed_jobs: jobs.filter((j) => !ids.includes(j.job_id)).map((j) => ({ job_id: j.job_id, status: "not_found" })),
  });
}

async function watch(kept) {
  await page.jobs.put(kept);
  page.watch.watch((back) => void page.tasks.resume(back));
  page.jobs.loaded.value = true;
  await pass(1);
}

/** The draft of new jobs, on a server with these options, and rules that take every file. */
async function draft(...options) {
  const [made, server] = [await vite.ssrLoadModule("/src/state/draft.ts"), await vite.ssrLoadModule("/src/state/server.ts")];
  const kinds = ["genome_fasta", "protein_fasta", "replicons_table"];
  server.catalogue.value = { options, uploads: kinds.map((upload_kind) => ({ upload_kind, label: upload_kind, use: "", max_size: 2 ** 20 })) };
  server.workflows.value = [
    { workflow_kind: "bakta", uploads: [{ upload_kind: "genome_fasta", required: true }, { upload_kind: "replicons_table", required: false }] },
    { workflow_kind: "bakta_proteins", uploads: [{ upload_kind: "protein_fasta", required: true }] },
  ];
  rules = (question, files) => {
    if (question.do === "kind") return files.map((f) => ({ kind: f.name.endsWith(".faa") ? "protein_fasta" : "genome_fasta", compressed: "" }));
    return question.do === "inspect" ? { problem: "", warnings: [], sequences: [], count: 1 } : [];
  };
  return made;
}

test("a job that the server did not have is asked for again once a minute, and is as before when the server has it", async () => {
  has([]);
  await watch([known(1)]);
  assert.equal(job("job 1").gone, "not_found");
  await pass(50);
  assert.equal(count("/job/list"), 1);
  await pass(15);
  assert.equal(count("/job/list"), 2);
  has(["job 1"]);
  await pass(60);
  assert.equal(job("job 1").gone, undefined);
  assert.equal(job("job 1").last.status, "running");
  assert.ok(count("/job/list") > 2);
  // Beside jobs that may change, it is in the same question, as rarely.
  has(["job 2"]);
  await page.jobs.put([known(1, { gone: "not_found" }), known(2)]);
  asked = [];
  page.watch.wake();
  await pass(170);
  const questions = asked.map((a) => a.body.jobs.map((j) => j.job_id).join());
  assert.equal(questions.filter((q) => q === "job 2,job 1").length, 2, questions.join("; "));
  assert.equal(questions.filter((q) => q === "job 1").length, 0);
});

test("jobs that the server did not have are asked for at a load, and when the connection is back, but not while the page is hidden", async () => {
  has([]);
  await watch([known(1, { gone: "not_found" })]);
  assert.equal(count("/job/list"), 1);
  await pass(10);
  answers["/job/list"] = () => Promise.reject(new TypeError("no connection"));
  dispatchEvent(new Event("online"));
  await pass(2);
  assert.equal(count("/job/list"), 2);
  has([]);
  await pass(5); // they are asked for until there is an answer
  assert.equal(count("/job/list"), 3);
  document.hidden = true;
  await pass(100);
  assert.equal(count("/job/list"), 3);
  await page.jobs.put([known(2)]);
  page.watch.wake();
  await pass(5);
  assert.deepEqual(asked.at(-1).body.jobs.map((j) => j.job_id), ["job 2"]);
  await page.jobs.forget(["job 2"]);
  asked = [];
  document.hidden = false;
  document.dispatchEvent(new Event("visibilitychange"));
  has(["job 1"]);
  await pass(2);
  assert.equal(count("/job/list"), 1);
  assert.equal(job("job 1").gone, undefined);
});

test("many jobs that the server does not have are asked for in parts", async () => {
  has([]);
  await watch(Array.from({ length: 1200 }, (_, i) => known(i, { gone: "not_found" })));
  assert.deepEqual(asked.map((a) => a.body.jobs.length), [500, 500, 200]);
  asked = [];
  await pass(65);
  await pass(65);
  await pass(65);
  assert.deepEqual(asked.map((a) => a.body.jobs.length), [500, 500, 200]);
  assert.equal(new Set(asked.flatMap((a) => a.body.jobs.map((j) => j.job_id))).size, 1200);
});

test("a job whose files were all sent is started when the server has it again", async () => {
  has([]);
  answers["/job/submit"] = missing;
  await page.jobs.put([known(1, { pending: sentPending })]);
  await page.tasks.resume();
  assert.equal(job("job 1").gone, "not_found");
  await watch([]);
  answers["/job/list"] = ({ jobs }) => ({ jobs: jobs.map((j) => ({ ...running(j), status: "init", waiting: false })), failed_jobs: [] });
  answers["/job/submit"] = () => ({});
  await pass(65);
  assert.equal(job("job 1").gone, undefined);
  assert.equal(count("/job/submit"), 2);
  assert.equal(job("job 1").pending, undefined);
});

test("a deletion asks the server also for a job that it did not have", async () => {
  await page.jobs.put([known(1, { gone: "not_found" }), known(2, { gone: "not_found" })]);
  answers["/job/delete"] = ({ job_id }) => (job_id === "job 1" ? null : missing());
  await page.removal.removeJobs(["job 1", "job 2"]);
  assert.equal(count("/job/delete"), 2);
  assert.equal(page.jobs.jobs.value.size, 0);
  assert.equal(page.removal.stuck.value.size, 0);
});

test("a cancel while a job is stored or a file is opened keeps no lane", async () => {
  const stored = begin(4);
  const stop = page.jobs.jobs.subscribe((jobs) => {
    for (const t of stored.slice(0, 3)) if (jobs.has(t.job?.job_id)) page.tasks.cancel(t);
  });
  await pass(1);
  stop();
  assert.deepEqual(states(stored), ["cancelled", "cancelled", "cancelled", "started"]);

  const opened = [];
  const slow = genome();
  slow.slice = () => ({ arrayBuffer: () => new Promise((resolve) => opened.push(resolve)) });
  const tasks = begin(3, slow);
  await pass(1);
  assert.deepEqual(states(tasks), ["sending", "sending", "sending"]);
  for (const t of tasks) page.tasks.cancel(t);
  uploads = [];
  for (const resolve of opened) resolve();
  await settle();
  assert.deepEqual(uploads, []);
  const next = begin(1);
  await pass(1);
  assert.deepEqual(states([...tasks, ...next]), ["cancelled", "cancelled", "cancelled", "started"]);
});

test("a cancel at the moment when the server answers deletes the job that it made", async () => {
  const made = answers["/job/init"]();
  let task;
  answers["/job/init"] = () => {
    const answer = Response.json(made);
    answer.text = async () => {
      page.tasks.cancel(task);
      return JSON.stringify(made);
    };
    return answer;
  };
  [task] = begin(1);
  await pass(1);
  assert.equal(task.state.value, "cancelled");
  assert.deepEqual(asked.at(-1), { path: "/job/delete", body: made.job });
  assert.equal(page.jobs.jobs.value.size, 0);
});

test("an upload without space in the storage is not repeated, and one that the storage fails is repeated for a while", async () => {
  storage = () => 507;
  const [full] = begin(1);
  await pass(1);
  assert.equal(full.state.value, "failed");
  assert.equal(full.note.value, "The storage answered the upload with status 507.");
  assert.equal(uploads.length, 1);

  storage = () => 503;
  uploads = [];
  asked = [];
  const [failing] = begin(1);
  await pass(1);
  assert.match(failing.note.value, /^The storage answered the upload with status 503\. The page tries again by itself at /);
  await pass(95);
  assert.equal(failing.state.value, "failed");
  assert.equal(failing.note.value, "The storage answered the upload with status 503.");
  assert.equal(uploads.length, 25);
  assert.equal(count("/job/init"), 5);

  storage = () => (uploads.length < 10 ? 500 : 200);
  uploads = [];
  const [short] = begin(1);
  await pass(40);
  assert.equal(short.state.value, "started");
});

test("a start that the server puts off for an hour blocks no other sample, and a job that expired meanwhile is made again, once", async () => {
  answers["/job/submit"] = () => putOff(3600);
  const tasks = begin(5);
  await pass(1);
  assert.deepEqual(states(tasks), Array(5).fill("starting"));
  for (const t of tasks) assert.match(t.note.value, /^Ten starts an hour are allowed\. The page tries again by itself at /);
  const waits = page.tasks.waits.value;
  assert.deepEqual([...waits.keys()], tasks.map((t) => t.job.job_id)); // the list of jobs says so, too
  const first = tasks.map((t) => t.job.job_id);
  answers["/job/submit"] = ({ job }) => (first.includes(job.job_id) ? missing() : {});
  await pass(3600);
  assert.deepEqual(states(tasks), Array(5).fill("started"));
  assert.equal(uploads.length, 10);
  assert.equal(page.tasks.waits.value.size, 0);
  assert.deepEqual([...page.jobs.jobs.value.keys()], tasks.map((t) => t.job.job_id));

  answers["/job/submit"] = () => putOff(3600);
  uploads = [];
  const [again, deleted] = begin(2);
  await pass(1);
  await page.jobs.forget([deleted.job.job_id]);
  answers["/job/submit"] = ({ job }) => (asked.filter((a) => a.body.job?.job_id === job.job_id).length > 1 ? missing() : putOff(3600));
  await pass(3600);
  assert.deepEqual(states([again, deleted]), ["starting", "failed"]);
  await pass(3600);
  assert.deepEqual(states([again, deleted]), ["failed", "failed"]);
  assert.equal(uploads.length, 3);
});

test("after a reload, a start that the server puts off for an hour blocks no other one", async () => {
  answers["/job/submit"] = ({ job }) => (job.job_id === "job 5" ? {} : putOff(3600));
  await page.jobs.put([1, 2, 3, 4, 5].map((i) => known(i, { pending: sentPending })));
  void page.tasks.resume();
  await pass(1);
  assert.equal(job("job 5").pending, undefined);
  assert.equal(page.tasks.waits.value.size, 4);
  await page.jobs.change("job 1", { gone: "not_found" }); // another server answered a question meanwhile
  answers["/job/submit"] = () => ({});
  answers["/job/list"] = () => new Promise(() => undefined);
  await pass(3600);
  for (const { pending, gone } of page.jobs.jobs.value.values()) assert.deepEqual({ pending, gone }, { pending: undefined, gone: undefined });
});

test("a job is run again once, also if the answer is lost with the page", async () => {
  answers["/job/rerun"] = () => new Promise(() => undefined);
  await page.jobs.put([known(1)]);
  void page.repeat.repeatJob("job 1");
  await settle();
  assert.deepEqual([...page.repeat.repeating.value.keys()], ["job 1"]);
  const kept = job("job 1");
  const key = asked[0].body.request_key;
  assert.equal(kept.repeat, key);

  await visit();
  await page.jobs.put([kept]);
  answers["/job/rerun"] = () => ({ job: { job_id: "job 2", secret: "s" }, workflow_kind: "bakta" });
  assert.equal(await page.repeat.repeatJob("job 1"), "job 2");
  assert.equal(asked.at(-1).body.request_key, key);
  assert.equal(page.repeat.repeating.value.size, 0);
  await page.repeat.repeatJob("job 1");
  assert.notEqual(asked.at(-1).body.request_key, key);
});

test("a link to an empty file works, though it has no first byte", async () => {
  const { Links } = await vite.ssrLoadModule("/src/views/job/results/links.ts");
  const links = new Links({ result: { files: { tsv: "storage/a" } } }, async () => ({ result: { files: { tsv: "storage/b" } } }));
  answers["storage/a"] = () => new Response(null, { status: 416 });
  assert.equal(await links.working("tsv"), "storage/a");
  answers["storage/a"] = () => new Response(null, { status: 403 });
  answers["storage/b"] = () => new Response("x", { status: 206 });
  assert.equal(await links.working("tsv"), "storage/b");
  assert.equal(asked.length, 3);
});

test("sizes are rounded before their unit is chosen, and are no powers of ten", async () => {
  const { bytes, bases, limit } = await vite.ssrLoadModule("/src/parts/format.ts");
  const sizes = [999, 1_400, 9_970, 14_000, 99_700, 999_700, 1_073_741_824, 10 ** 13].map(bytes);
  assert.deepEqual(sizes, ["999 B", "1.4 kB", "10 kB", "14 kB", "100 kB", "1.0 MB", "1.1 GB", "10,000 GB"]);
  assert.deepEqual([9_999, 10_000, 99_970, 999_700, 4_641_652].map((n) => bases(n)), ["9,999 bp", "10.0 kbp", "100 kbp", "1.00 Mbp", "4.64 Mbp"]);
  assert.equal(limit(256 * 2 ** 20), "256 MiB");
  for (let n = 1; n <= 10 ** 13; n = Math.ceil(n * 1.003)) assert.doesNotMatch(`${bytes(n)} ${bases(n)}`, /e\+|NaN|undefined/, String(n));
});

test("a job that expired while the computer slept is made again", async () => {
  answers["/job/submit"] = () => Promise.reject(new TypeError("no connection"));
  const [task] = begin(1);
  await pass(2);
  assert.equal(task.state.value, "starting");
  mock.timers.setTime(Date.now() + 8 * 3_600_000); // no timer ran meanwhile
  answers["/job/submit"] = ({ job }) => (job.job_id === "job 1" ? missing() : {});
  await pass(5);
  assert.equal(task.state.value, "started");
  assert.equal(count("/job/init"), 2);
  assert.deepEqual([...page.jobs.jobs.value.keys()], ["job 2"]);
});

test("a mistake in an option holds up only jobs that take the option, and is not remembered", async () => {
  const database = (globalThis.indexedDB = browserDatabase());
  const page = await draft({ name: "min_contig_length", workflow_kinds: ["bakta"] }, { name: "genus", workflow_kinds: ["bakta"] });
  const plain = rules;
  rules = (question, files) => (question.do !== "options" ? plain(question, files) : question.config.min_contig_length === "5kb" ? [{ field: "min_contig_length", problem: "p" }] : []);
  database.stores.settings.set("options", { config: { min_contig_length: "5kb" }, workflow: "bakta" }); // of an earlier version
  await page.remember();
  await page.add([{ file: new File([">p\nM\n"], "p.faa"), path: "p.faa" }]);
  await pass(2);
  assert.equal(page.ready.value.length, 1);
  assert.deepEqual(page.violations.value, []);
  await page.add([{ file: genome(), path: "a.fna" }]);
  await pass(2);
  assert.deepEqual(page.violations.value, [{ field: "min_contig_length", problem: "p" }]);
  page.setOption("genus", "Escherichia");
  await pass(1);
  assert.deepEqual(database.stores.settings.get("options").config, { genus: "Escherichia" });
  page.setOption("min_contig_length", 500);
  await pass(1);
  assert.deepEqual(page.violations.value, []);
  assert.deepEqual(database.stores.settings.get("options").config, { genus: "Escherichia", min_contig_length: 500 });
});

test("a replicon table that is corrected is checked again, and its rows stay until it is removed", async () => {
  const page = await draft();
  await page.add([{ file: genome(), path: "a.fna" }]);
  await pass(1);
  const [{ key }] = page.samples.value;
  const plain = rules;
  rules = (question, files) => ({ ...plain(question, files), problem: question.do === "inspect" && page.repliconRows.value.get(key)?.get(0).name === "no" ? "no" : "" });
  const verdict = () => [page.samples.value[0].check, page.extras.value.get("replicons_table")?.size];
  page.editReplicon(key, ["s1", "s2"], 0, { name: "no" });
  await pass(2);
  assert.deepEqual(verdict(), ["refused", 22]);
  page.editReplicon(key, ["s1", "s2"], 0, { name: "ok" });
  await pass(2);
  assert.deepEqual(verdict(), ["good", 22]);
  page.editReplicon(key, ["s1", "s2"], 1, { type: "plasmid" });
  assert.equal(await page.extras.value.get("replicons_table").text(), "s1\t-\tcontig\tlinear\tok\ns2\t-\tplasmid\tlinear\t-\n");
  page.setExtra("replicons_table", undefined);
  assert.equal(page.repliconRows.value.size, 0);
});

test("a job whose start was cancelled without a connection is kept until it is deleted, and a reload does not start it", async () => {
  const lost = () => Promise.reject(new TypeError("no connection"));
  answers["/job/submit"] = lost; // the server may have the start nevertheless
  answers["/job/delete"] = lost;
  const [task] = begin(1);
  await pass(1);
  page.tasks.cancel(task);
  await pass(1);
  assert.equal(task.state.value, "cancelled");
  assert.match(task.note.value, /could not be deleted, and may run: The server does not answer\. It is in the list of jobs\.$/);
  assert.equal(page.removal.stuck.value.get("job 1"), "The server does not answer.");
  const kept = job("job 1");
  assert.equal(kept.secret, "s");

  await visit();
  await page.jobs.put([kept]);
  asked = [];
  answers["/job/submit"] = () => ({});
  await page.tasks.resume();
  assert.equal(count("/job/submit"), 0);
  answers["/job/delete"] = () => null;
  await page.removal.removeJobs(["job 1"]);
  assert.equal(page.jobs.jobs.value.size, 0);
});

test("of several deletions at the same time, each keeps the reason of its own failure", async () => {
  await page.jobs.put([known(1), known(2)]);
  answers["/job/delete"] = ({ job_id }) => new Response(JSON.stringify(`${job_id} stays.`), { status: 403 });
  await Promise.all([page.removal.removeJobs(["job 1"]), page.removal.removeJobs(["job 2"])]);
  assert.deepEqual(Object.fromEntries(page.removal.stuck.value), { "job 1": "job 1 stays.", "job 2": "job 2 stays." });
  answers["/job/delete"] = () => null;
  await page.removal.removeJobs(["job 1"]);
  assert.deepEqual([...page.removal.stuck.value.keys()], ["job 2"]);
});

test("all samples that are on their way are cancelled together", async () => {
  answers["/job/submit"] = () => putOff(3600);
  const tasks = begin(5);
  await pass(1);
  answers["/job/submit"] = () => ({});
  const [done] = page.tasks.begin([{ key: 9, name: "g9", kind: "bakta", config: {}, files: [{ kind: "genome_fasta", file: genome() }] }]);
  await pass(1);
  page.tasks.cancelAll([0, 1, 2, 3, 4, 9, 17]);
  await pass(1);
  assert.deepEqual(states(tasks), Array(5).fill("cancelled"));
  assert.equal(done.state.value, "started");
  assert.deepEqual([...page.jobs.jobs.value.keys()], [done.job.job_id]);
  assert.equal(count("/job/delete"), 5);
});

test("a sample is tried again as it is now", async () => {
  answers["/job/submit"] = () => new Response(JSON.stringify("The genus is not valid."), { status: 400 });
  const [task] = begin(1);
  await pass(1);
  assert.equal(task.note.value, "The genus is not valid.");
  answers["/job/submit"] = () => ({});
  page.tasks.retry(task, { key: 0, name: "better", kind: "bakta", config: { genus: "Escherichia" }, files: [{ kind: "genome_fasta", file: genome() }] });
  await pass(1);
  assert.deepEqual(asked.findLast((a) => a.path === "/job/submit").body.config, { genus: "Escherichia" });
  assert.equal(asked.findLast((a) => a.path === "/job/init").body.name, "better");
  assert.deepEqual([...page.jobs.jobs.value.keys()], ["job 2"]);
});

test("uploads that are always lost although the server answers end, and those without a connection go on", async () => {
  storage = () => "lost";
  const [far] = begin(1);
  await pass(100);
  assert.equal(far.state.value, "failed");
  assert.equal(far.note.value, "The server answers, but its storage can't be reached from this browser.");
  assert.equal(uploads.length, 25);
  assert.equal(count("/job/init"), 5);

  globalThis.navigator = { onLine: false };
  const [offline] = begin(1);
  await pass(200);
  assert.equal(offline.state.value, "sending");
  page.tasks.cancel(offline);
  delete globalThis.navigator;

  const init = answers["/job/init"];
  let isAway = true;
  uploads = [];
  answers["/job/init"] = () => {
    if (uploads.length < 20 || !isAway) return init();
    isAway = false;
    return Promise.reject(new TypeError("no connection"));
  };
  storage = () => (uploads.length > 38 ? 200 : "lost");
  const [weak] = begin(1);
  await pass(150);
  assert.equal(weak.state.value, "started");
  assert.equal(isAway, false);
});

test("a job whose files are chosen again stays in the list until its successor is there, and says what went wrong", async () => {
  const lacking = { config: {}, files: [{ kind: "genome_fasta", name: "a.fna", size: 1, sent: false, url: "" }], refused: "" };
  await page.jobs.put([known(7, { pending: lacking })]);
  const init = answers["/job/init"];
  answers["/job/init"] = () => new Response(JSON.stringify("This project may make no more jobs."), { status: 403 });
  await page.tasks.again(job("job 7"), [genome()]);
  await pass(1);
  assert.deepEqual([...page.jobs.jobs.value.keys()], ["job 7"]);
  assert.equal(page.tasks.taskOfJob("job 7").note.value, "This project may make no more jobs.");
  answers["/job/init"] = init;
  await page.tasks.again(job("job 7"), [genome()]);
  await pass(1);
  assert.deepEqual([...page.jobs.jobs.value.values()].map((j) => [j.id, j.name, j.pending]), [["job 1", "n", undefined]]);
  assert.equal(count("/job/delete"), 1);
});

/** Loads the page as a tab beside others, and returns a function that tells it of a change by another one. */
async function tab() {
  let channel;
  globalThis.BroadcastChannel = class extends EventTarget {
    constructor() {
      super();
      channel = this;
    }
    postMessage() {}
  };
  await visit();
  delete globalThis.BroadcastChannel;
  await page.jobs.load(page.watch.wake);
  return () => channel.dispatchEvent(new Event("message"));
}

test("a change in another tab takes nothing from this one, which asks for what is new", async () => {
  const database = (globalThis.indexedDB = browserDatabase());
  const other = await tab();
  page.watch.watch(() => undefined);
  const step = (n) => (answers["/job/list"] = ({ jobs }) => ({ jobs: jobs.map((j) => ({ ...running(j), progress: { step: n } })), failed_jobs: [] }));
  step(1);
  await page.jobs.put([known(1)]);
  page.watch.wake();
  await pass(1);
  step(2);
  await pass(3);
  assert.equal(database.stores.jobs.get("job 1").last.progress.step, 1); // not each step is written
  answers["/job/list"] = () => new Promise(() => undefined);
  other();
  await settle();
  assert.equal(job("job 1").last.progress.step, 2);

  // This tab adds a job just as it reads the others.
  database.stores.jobs.set("job 3", known(3));
  database.afterRead = () => {
    database.afterRead = () => undefined;
    void page.jobs.put([known(2)]);
  };
  other();
  await settle();
  assert.deepEqual([...page.jobs.jobs.value.keys()].sort(), ["job 1", "job 2", "job 3"]);
});

test("a tab asks for a job that another one has started", async () => {
  const database = (globalThis.indexedDB = browserDatabase());
  const other = await tab();
  page.watch.watch(() => undefined);
  await pass(1);
  assert.equal(count("/job/list"), 0);
  database.stores.jobs.set("job 1", known(1));
  other();
  await pass(2);
  assert.equal(job("job 1").last.status, "running");
});

test("without a database, a change in another tab takes no job from this one", async () => {
  const other = await tab();
  await page.jobs.put([known(1)]);
  other();
  await settle();
  assert.equal(job("job 1").secret, "s");
});

test("a browser that can keep nothing starts jobs nevertheless, says so, and keeps them when it can", async () => {
  const database = (globalThis.indexedDB = browserDatabase());
  const other = await tab();
  const { keepsNothing } = await vite.ssrLoadModule("/src/state/db.ts");
  database.full = true;
  const [task] = begin(1);
  await pass(1);
  assert.equal(task.note.value, "");
  assert.equal(task.state.value, "started");
  assert.equal(keepsNothing.value, true);
  other();
  await settle();
  assert.equal(job("job 1").secret, "s");
  database.full = false;
  await page.jobs.put([known(2)]);
  assert.equal(keepsNothing.value, false);
  assert.deepEqual([...database.stores.jobs.keys()].sort(), ["job 1", "job 2"]);
});

test("a database that the browser has closed is opened again", async () => {
  const database = (globalThis.indexedDB = browserDatabase());
  await page.jobs.put([known(1)]);
  database.connections[0].closed = true; // its event is still to come
  await page.jobs.put([known(2)]);
  database.connections[1].closed = true;
  database.connections[1].onclose();
  await page.jobs.put([known(3)]);
  assert.deepEqual([...database.stores.jobs.keys()], ["job 1", "job 2", "job 3"]);
  assert.equal(database.connections.length, 3);
});

test("rules that a lost connection has not let through are loaded again", async () => {
  const page = await draft();
  const inspector = await vite.ssrLoadModule("/src/inspect/inspector.ts");
  faultOfRules = () => (loads < 3 ? { fault: "TypeError: Failed to fetch", absent: false } : undefined);
  void page.add([{ file: genome(), path: "a.fna" }]);
  await pass(5);
  assert.deepEqual([page.samples.value[0].check, inspector.rules.value, loads], ["good", "ready", 3]);
});

test("rules that can't be loaded for long leave the checks to the start, and are loaded for later files", async () => {
  const page = await draft();
  const inspector = await vite.ssrLoadModule("/src/inspect/inspector.ts");
  faultOfRules = () => ({ fault: "status 502", absent: false });
  void page.add([1, 2, 3].map((i) => ({ file: new File([">a\n"], `${i}.fna`), path: `${i}.fna` })));
  await pass(20);
  assert.deepEqual(page.samples.value.map((s) => s.check), ["unchecked", "unchecked", "unchecked"]);
  assert.deepEqual([inspector.rules.value, loads], ["lost", 5]);
  faultOfRules = () => undefined;
  await pass(30);
  void page.add([{ file: genome(), path: "a.fna" }]);
  await pass(2);
  assert.deepEqual([page.samples.value.at(-1).check, inspector.rules.value], ["good", "ready"]);
});

test("a server without the rules is asked for them once", async () => {
  const page = await draft();
  const inspector = await vite.ssrLoadModule("/src/inspect/inspector.ts");
  faultOfRules = () => ({ fault: "Error", absent: true });
  void page.add([{ file: genome(), path: "a.fna" }]);
  await pass(5);
  assert.deepEqual([page.samples.value[0].check, inspector.rules.value, loads], ["unchecked", "missing", 1]);
});
