// Makes every call of both versions of the API through the generated clients. Usage: node calls.js URL
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import createClient from "openapi-fetch";
import type { paths as Paths1 } from "./v1.js";
import type { paths as Paths2 } from "./v2.js";

const genome = ">contig\n" + "ATGAAACGCATTAGCACCACCATTACCACCACCATCACCATTACCACAGGTAACGGTGCGGGCTGA".repeat(10) + "\n";
const wait = 120_000; // for a job that the stand-in runs

async function upload(url: string) {
  const answer = await fetch(url, { method: "PUT", body: genome });
  assert.equal(answer.status, 200);
}

async function firstVersion(baseUrl: string) {
  const api = createClient<Paths1>({ baseUrl });
  const version = await api.GET("/api/v1/version");
  assert.ok(version.data?.backendVersion);

  const made = (await api.POST("/api/v1/job/init", { body: { name: "a client", repliconTableType: "TSV" } })).data;
  assert.ok(made);
  const { job } = made;
  await upload(made.uploadLinkFasta);
  const early = await api.POST("/api/v1/job/result", { body: job });
  assert.equal(early.error?.code, 9);

  const config = {
    genus: "Escherichia", dermType: "DIDERM", translationTable: 11, strain: null, minContigLength: "", completeGenome: false,
  } as const;
  assert.deepEqual((await api.POST("/api/v1/job/start", { body: { job, config } })).data, {});

  for (const end = Date.now() + wait; ; await sleep(200)) {
    const listed = (await api.POST("/api/v1/job/list", { body: { jobs: [job, {}, null] } })).data;
    assert.equal(listed?.failedJobs.length, 2);
    const state = listed.jobs[0].jobStatus;
    if (state === "SUCCESSFUL") break;
    assert.ok(state !== "ERROR" && Date.now() < end, state);
  }
  const result = (await api.POST("/api/v1/job/result", { body: job })).data;
  assert.ok(result?.ResultFiles.JSON);
  const log = await api.GET("/api/v1/job/logs", { params: { query: { ...job, offset: 0 } }, parseAs: "text" });
  assert.match(log.data ?? "", /^Bakta Command:/);
  const wrong = await api.DELETE("/api/v1/job/delete", { params: { query: { jobID: job.jobID, secret: "x".repeat(32) } } });
  assert.equal(wrong.error?.code, 16);
  assert.deepEqual((await api.DELETE("/api/v1/delete", { params: { query: job } })).data, {});
  assert.equal((await api.DELETE("/api/v1/job/delete", { params: { query: job } })).response.status, 404);
}

async function secondVersion(baseUrl: string) {
  const api = createClient<Paths2>({ baseUrl });
  const workflows = (await api.GET("/api/v2/workflows")).data;
  assert.ok(workflows?.some((w) => w.workflow_kind === "bakta"));
  assert.ok((await api.GET("/api/v2/version")).data?.backend_version);
  assert.equal((await api.GET("/api/v2/access")).data?.issuer, "");
  assert.equal((await api.GET("/api/v2/jobs", { params: { query: { page_size: 3 } } })).response.status, 401); // this server has no login

  const made = (await api.POST("/api/v2/job/init", { body: { name: "a client", workflow_kind: "bakta" } })).data;
  assert.ok(made);
  const { job } = made;
  for (const link of made.uploads) if (link.required) await upload(link.url);
  const early = await api.POST("/api/v2/job/result", { body: job });
  assert.equal(typeof early.error, "string");

  const config = { genus: "Escherichia", derm_type: "diderm", use_replicons: false, skip_plot: "", locus_tag: null } as const;
  const started = await api.POST("/api/v2/job/start", { body: { job, workflow_kind: "bakta", config } });
  assert.equal(started.response.status, 200);
  assert.equal(started.data, null);
  const again = await api.POST("/api/v2/job/submit", { body: { job, workflow_kind: "bakta", config } });
  assert.ok(Array.isArray(again.data?.warnings));

  for (const end = Date.now() + wait; ; await sleep(200)) {
    const listed = (await api.POST("/api/v2/job/list", { body: { jobs: [job, {}, null] } })).data;
    assert.equal(listed?.failed_jobs.length, 2);
    const state = listed.jobs[0].status;
    if (state === "successful") break;
    assert.ok(state !== "error" && Date.now() < end, state);
  }
  const result = (await api.POST("/api/v2/job/result", { body: { ...job, partial: true } })).data;
  assert.ok(result?.result.files.json);
  const logs = (await api.GET("/api/v2/job/logs", { params: { query: job } })).data;
  assert.deepEqual(logs?.stages.map((s) => s.status), ["succeeded"]);
  const rerun = await api.POST("/api/v2/job/rerun", { body: { job, request_key: crypto.randomUUID(), config } });
  assert.ok(rerun.data && rerun.data.job.job_id !== job.job_id);
  assert.equal((await api.DELETE("/api/v2/job/delete", { params: { query: rerun.data.job } })).response.status, 200);
  assert.equal((await api.DELETE("/api/v2/job/delete", { params: { query: job } })).response.status, 200);
}

async function tooLarge(baseUrl: string) {
  const calls = [["/api/v1/job/init", 413], ["/api/v2/job/init", 413], ["/api/v1/version", 405], ["/nothing", 404]] as const;
  for (const [path, status] of calls) {
    const answer = await fetch(baseUrl + path, { method: "POST", body: genome.repeat(20_000) });
    assert.equal(answer.status, status, path);
    assert.ok(await answer.text());
  }
}

await firstVersion(process.argv[2]);
await secondVersion(process.argv[2]);
await tooLarge(process.argv[2]);
console.log("the TypeScript clients made every call");
