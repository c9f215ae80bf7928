// Brings samples to the server: creates each job, sends its files, starts it. A few at a time. What is lost on the way is tried again;
// what the server refuses is told where the sample is shown, and the others go on.
import { computed, signal, useComputed, type Signal } from "@preact/signals";
import { init, remove as removeJob, ServerError, start } from "../api/client";
import type { Config, JobRef, UploadKind, UploadLink, Warning, WorkflowKind } from "../api/types";
import { change, forget, jobs, known, put as putJobs, ref } from "./jobs";
import type { KeptJob } from "./db";
import { isTemporary, patiently } from "./patience";
import { randomName } from "./random";
import { Lost, put, Refused } from "./transfer";
import { wake } from "./watch";

export type TaskState = "queued" | "creating" | "sending" | "starting" | "started" | "failed" | "cancelled";

/** A sample on its way. */
export interface Task {
  /** That of the sample. */
  key: number;
  name: string;
  kind: WorkflowKind;
  config: Config;
  batch: string;
  files: { kind: UploadKind; file: File }[];
  /** Bytes of all files. */
  size: number;
  state: Signal<TaskState>;
  /** Bytes that were sent. */
  sent: Signal<number>;
  /** Why it failed, or what it waits for. */
  note: Signal<string>;
  job: JobRef | undefined;
  cancel: AbortController;
}

/** All that were begun since the page was opened, in their order. */
export const tasks = signal<readonly Task[]>([]);

/** The tasks by the keys of their samples. */
export const taskOf = computed<ReadonlyMap<number, Task>>(() => new Map(tasks.value.map((t) => [t.key, t])));

/** The task of a sample, for its row: that is rendered again when its own task changes, and not for any other. */
export const useTask = (key: number) => useComputed(() => taskOf.value.get(key)).value;

/** How many are not at their end. */
export const underway = computed(() => tasks.value.filter((t) => !ended(t.state.value)).length);

const ended = (state: TaskState) => state === "started" || state === "failed" || state === "cancelled";

/** How many samples are on their way at the same time. More would not be faster, and each has a job that must be started soon. */
const parallel = 3;
let running = 0;

export interface Order {
  key: number;
  name: string;
  kind: WorkflowKind;
  config: Config;
  files: { kind: UploadKind; file: File }[];
}

/** Begins to bring samples to the server. Those of one call share their turns in the server's queue. */
export function begin(orders: Order[]): Task[] {
  const batch = randomName();
  const made = orders.map((order) => task(order, batch, undefined));
  tasks.value = [...tasks.value.filter((t) => !made.some((m) => m.key === t.key)), ...made];
  pump();
  return made;
}

function task(order: Order, batch: string, job: JobRef | undefined): Task {
  return {
    ...order, batch, job, size: order.files.reduce((sum, f) => sum + f.file.size, 0),
    state: signal<TaskState>("queued"), sent: signal(0), note: signal(""), cancel: new AbortController(),
  };
}

/** Begins again with a task that failed or was cancelled. */
export function retry(old: Task): void {
  if (old.job !== undefined) void drop(old.job);
  begin([{ key: old.key, name: old.name, kind: old.kind, config: old.config, files: old.files }]);
}

export function cancel(task: Task): void {
  if (ended(task.state.value)) return;
  task.state.value = "cancelled";
  task.note.value = "";
  task.cancel.abort();
  if (task.job !== undefined) void drop(task.job);
}

/** Removes a job that was never started from the server and from this browser. It would expire, too. */
async function drop(job: JobRef): Promise<void> {
  await forget([job.job_id]);
  await removeJob(job).catch(() => undefined);
}

function pump(): void {
  while (running < parallel) {
    const next = tasks.value.find((t) => t.state.value === "queued");
    if (next === undefined) return;
    running++;
    void bring(next).finally(() => {
      running--;
      pump();
    });
  }
}

async function bring(t: Task): Promise<void> {
  try {
    for (;;) {
      const links = await create(t);
      try {
        await send(t, links);
        break;
      } catch (error) {
        // An upload can't go on in the middle, and a link that expired can't be renewed: a new job has new links.
        if (!(error instanceof Lost || (error instanceof Refused && (error.status === 403 || error.status === 404)))) throw error;
        const old = t.job;
        t.job = undefined;
        if (old !== undefined) await drop(old);
      }
    }
    await launch(t);
  } catch (error) {
    if (t.state.value === "cancelled") return;
    t.state.value = "failed";
    t.note.value = error instanceof Error ? error.message : String(error);
  }
}

/** Creates the job, and returns its links. */
async function create(t: Task): Promise<UploadLink[]> {
  t.state.value = "creating";
  t.sent.value = 0;
  const made = await persistently(t, () => init(t.name, t.kind, t.batch, t.cancel.signal));
  t.job = made.job;
  const job: KeptJob = {
    ...known(made.job, t.name, t.kind, t.batch),
    pending: {
      config: t.config, refused: "",
      files: t.files.map(({ kind, file }) => ({
        kind, name: file.name, size: file.size, sent: false, url: made.uploads.find((u) => u.upload_kind === kind)?.url ?? "",
      })),
    },
  };
  await putJobs([job]);
  return made.uploads;
}

async function send(t: Task, links: UploadLink[]): Promise<void> {
  t.state.value = "sending";
  let before = 0;
  for (const { kind, file } of t.files) {
    const link = links.find((l) => l.upload_kind === kind);
    if (link === undefined) throw new Error(`The server has no place for the ${kind} of this workflow.`);
    const upload = () => {
      t.sent.value = before;
      return put(link.url, file, link.headers, (bytes) => (t.sent.value = before + bytes), t.cancel.signal);
    };
    await patiently(upload, (text) => (t.note.value = text), mayRetryUpload, t.cancel.signal);
    before += file.size;
    t.sent.value = before;
    const pending = jobs.value.get(t.job!.job_id)?.pending;
    if (pending !== undefined) await change(t.job!.job_id, { pending: { ...pending, files: pending.files.map((f) => (f.kind === kind ? { ...f, sent: true } : f)) } });
  }
}

async function launch(t: Task): Promise<void> {
  t.state.value = "starting";
  const job = t.job!;
  try {
    const warnings = await persistently(t, () => start(job, t.kind, t.config, t.cancel.signal));
    await started(job, warnings);
    t.state.value = "started";
  } catch (error) {
    if (error instanceof ServerError) await refused(job, error.message);
    throw error;
  }
}

async function started(job: JobRef, warnings: Warning[]): Promise<void> {
  await change(job.job_id, { pending: undefined, warnings });
  wake();
}

/** Keeps the reason of a refused start where the job is shown. */
async function refused(job: JobRef, why: string): Promise<void> {
  const pending = jobs.value.get(job.job_id)?.pending;
  if (pending !== undefined) await change(job.job_id, { pending: { ...pending, refused: why } });
}

/** What is temporary is tried again; the sample's row says so. */
const persistently = <T>(t: Task, call: () => Promise<T>) => patiently(call, (text) => (t.note.value = text), isTemporary, t.cancel.signal);

/**
 * After so many lost connections in a row, the link may be the reason: a server that was restarted elsewhere has its storage at another
 * address. A new job has a new link.
 */
const mostLost = 5;

const mayRetryUpload = (error: unknown, failures: number) =>
  (error instanceof Lost && failures < mostLost) || (error instanceof Refused && error.status >= 500);

/** After a reload: starts the jobs whose files were all sent. The others need their files again, see `again`. */
export async function resume(): Promise<void> {
  const isSent = (job: KeptJob) => job.pending !== undefined && job.pending.refused === "" && job.gone === undefined && job.pending.files.every((f) => f.sent);
  await inLanes([...jobs.value.values()].filter(isSent), async (job) => {
    try {
      const warnings = await patiently(() => start(ref(job), job.kind, job.pending!.config), (text) => waitingFor(job.id, text));
      await started(ref(job), warnings);
    } catch (error) {
      await refused(ref(job), error instanceof Error ? error.message : String(error));
    }
  });
}

/** Does something with each, a few at a time. */
async function inLanes<T>(all: T[], act: (one: T) => Promise<void>): Promise<void> {
  const queue = [...all];
  const lane = async () => {
    for (let one = queue.shift(); one !== undefined; one = queue.shift()) await act(one);
  };
  await Promise.all(Array.from({ length: parallel }, lane));
}

/** What the starts after a reload wait for, by the ids of their jobs. */
export const waits = signal<ReadonlyMap<string, string>>(new Map());

function waitingFor(id: string, text: string): void {
  const next = new Map(waits.value);
  if (text === "") next.delete(id);
  else next.set(id, text);
  waits.value = next;
}

/** The files that a job needs again after a reload. */
export const lacking = (job: KeptJob) => (job.pending?.files ?? []).filter((f) => !f.sent);

/** Begins again with a job whose files were not all sent before a reload, as a new one. It returns what is wrong with the files, if so. */
export async function again(job: KeptJob, files: File[]): Promise<string> {
  const pending = job.pending;
  if (pending === undefined) return "";
  const chosen: Order["files"] = [];
  for (const wanted of pending.files) {
    const file = files.find((f) => f.name === wanted.name) ?? (pending.files.length === 1 && files.length === 1 ? files[0] : undefined);
    if (file === undefined) return `${wanted.name} is not among the chosen files.`;
    chosen.push({ kind: wanted.kind, file });
  }
  begin([{ key: -Date.now(), name: job.name, kind: job.kind, config: pending.config, files: chosen }]);
  await drop(ref(job));
  return "";
}

// Leaving the page would end uploads: the browser asks first.
addEventListener("beforeunload", (event) => {
  if (underway.value > 0) event.preventDefault();
});
