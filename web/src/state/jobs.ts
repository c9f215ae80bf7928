// The jobs that this browser knows: in memory as one signal, and in the browser's database.
import { computed, signal } from "@preact/signals";
import type { JobList, JobRef, WorkflowKind } from "../api/types";
import { allJobs, dropJobs, putJobs, type KeptJob } from "./db";

/** All jobs by id. The map is replaced at each change, never changed. */
export const jobs = signal<ReadonlyMap<string, KeptJob>>(new Map());

/** Whether the jobs of earlier visits were read. */
export const loaded = signal(false);

/** The other tabs of this page hear of changes, so that all show the same. */
const channel = "BroadcastChannel" in globalThis ? new BroadcastChannel("bakta-web-jobs") : undefined;

export async function load(): Promise<void> {
  channel?.addEventListener("message", () => void read());
  await read();
  loaded.value = true;
}

async function read(): Promise<void> {
  const kept = await allJobs();
  if (kept.length === 0 && jobs.value.size === 0) return;
  jobs.value = new Map(kept.map((job) => [job.id, job]));
}

/** Adds or replaces jobs. Some of them may be kept as they were in the browser's database: what they show is asked for again anyway. */
export async function put(changed: KeptJob[], kept: KeptJob[] = changed): Promise<void> {
  if (changed.length === 0) return;
  const next = new Map(jobs.value);
  for (const job of changed) next.set(job.id, job);
  jobs.value = next;
  if (kept.length === 0) return;
  await putJobs(kept);
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
  for (const id of ids) next.delete(id);
  jobs.value = next;
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
