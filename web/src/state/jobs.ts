// The jobs that this browser knows: in memory as one signal, and in the browser's database.
import { computed, signal } from "@preact/signals";
import type { Job, JobList, JobRef, WorkflowKind } from "../api/types";
import { allJobs, dropJobs, putJobs, type KeptJob } from "./db";

/** All jobs by id. The map is replaced at each change, never changed. */
export const jobs = signal<ReadonlyMap<string, KeptJob>>(new Map());

/** Whether the jobs of earlier visits were read. */
export const loaded = signal(false);

/** The other tabs of this page hear of changes, so that all show the same. */
const channel = "BroadcastChannel" in globalThis ? new BroadcastChannel("bakta-web-jobs") : undefined;

/** Reads the jobs of earlier visits. `changed` is called when another tab has changed some. */
export async function load(changed: () => void = () => undefined): Promise<void> {
  channel?.addEventListener("message", () => void read().then(changed));
  await read();
  loaded.value = true;
}

/** How often this tab has changed its jobs. */
let writes = 0;
/** Jobs that are in memory alone, since the database refused them. */
const unkept = new Set<string>();

async function read(): Promise<void> {
  const before = writes;
  const kept = await allJobs();
  if (kept === undefined) return; // without a database, memory has the only secrets
  if (writes !== before) return read(); // what was read may be older than a change of this tab
  const next = new Map(kept.map((job) => [job.id, asLast(job, jobs.value.get(job.id)?.last)]));
  for (const id of unkept) {
    const job = jobs.value.get(id);
    if (job !== undefined) next.set(id, job);
  }
  if (next.size === 0 && jobs.value.size === 0) return;
  jobs.value = next;
}

/** A job that was read, with what the server said last of the same state: of its steps and its place in the queue, not each is written. */
function asLast(job: KeptJob, last: Job | undefined): KeptJob {
  return last !== undefined && last.status === job.last?.status && last.waiting === job.last.waiting ? { ...job, last } : job;
}

/** Adds or replaces jobs. Some of them may be kept as they were in the browser's database: what they show is asked for again anyway. */
export async function put(changed: KeptJob[], kept: KeptJob[] = changed): Promise<void> {
  if (changed.length === 0) return;
  const next = new Map(jobs.value);
  for (const job of changed) next.set(job.id, job);
  jobs.value = next;
  writes++;
  if (kept.length === 0) return;
  // Those that were refused before are kept as soon as the database takes something again.
  const all = new Map([...[...unkept].flatMap((id) => next.get(id) ?? []), ...kept].map((job) => [job.id, job]));
  const isKept = await putJobs([...all.values()]);
  for (const id of all.keys()) {
    if (isKept) unkept.delete(id);
    else unkept.add(id);
  }
  channel?.postMessage("changed");
}

/** Changes a job, if it is still there. */
export async function change(id: string, to: Partial<KeptJob>): Promise<void> {
  const job = jobs.value.get(id);
  if (job !== undefined) await put([{ ...job, ...to }]);
}

/** Forgets jobs in this browser. It does not delete them on the server. */
export async function forget(ids: string[]): Promise<void> {
  const next = new Map(jobs.value);
  for (const id of ids) {
    next.delete(id);
    unkept.delete(id);
  }
  jobs.value = next;
  writes++;
  await dropJobs(ids);
  channel?.postMessage("changed");
}

/** A job of which only its id and secret are known yet. */
export function known(ref: JobRef, name = "", kind: WorkflowKind = "", batch = ""): KeptJob {
  return {
    id: ref.job_id, secret: ref.secret, name, kind, batch, added: Date.now(), last: undefined, gone: undefined, warnings: [], pending: undefined,
  };
}

/** Takes an answer of the server about some jobs, and reports whether it said anything new. */
export async function take(answer: JobList): Promise<boolean> {
  const changed: KeptJob[] = [];
  const lasting: KeptJob[] = [];
  for (const now of answer.jobs) {
    const job = jobs.value.get(now.job_id);
    if (job === undefined || (job.gone === undefined && JSON.stringify(job.last) === JSON.stringify(now))) continue;
    const started = now.status !== "init" || now.waiting === true;
    const next: KeptJob = {
      ...job, last: now, gone: undefined, name: now.name, kind: now.workflow_kind, batch: now.batch ?? job.batch,
      pending: started ? undefined : job.pending,
    };
    changed.push(next);
    // The place in the queue of hundreds changes whenever one begins.
    if (job.last?.status !== now.status || job.last.waiting !== now.waiting || job.name !== now.name || job.gone !== undefined) lasting.push(next);
  }
  for (const { job_id, status } of answer.failed_jobs) {
    const job = jobs.value.get(job_id);
    if (job === undefined || job.gone === status) continue;
    changed.push({ ...job, gone: status });
    lasting.push({ ...job, gone: status });
  }
  await put(changed, lasting);
  return changed.length > 0;
}

/** Whether a job's state may still change on its own. */
export function mayChange(job: KeptJob): boolean {
  return job.gone === undefined && (job.pending?.refused ?? "") === "" && (job.last === undefined || job.last.status === "init" || job.last.status === "running");
}

export const ref = (job: KeptJob): JobRef => ({ job_id: job.id, secret: job.secret });

/** How many jobs run or wait. */
export const active = computed(() => [...jobs.value.values()].filter((job) => mayChange(job) && job.pending === undefined).length);
