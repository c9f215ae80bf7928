// Brings samples to the server: creates each job, sends its files, starts it. A few at a time. What is lost on the way is tried again;
// what the server refuses is told where the sample is shown, and the others go on.
import { computed, signal, useComputed, type Signal } from "@preact/signals";
import { init, remove as removeJob, ServerError, start, Unreachable } from "../api/client";
import type { Config, JobRef, UploadKind, UploadLink, Warning, WorkflowKind } from "../api/types";
import { change, forget, jobs, known, put as putJobs, ref } from "./jobs";
import type { KeptJob } from "./db";
import { isTemporary, longestPause, patiently } from "./patience";
import { randomName } from "./random";
import { removeJobs, stuck } from "./removal";
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
  /** The job of an earlier visit in whose place it is. That one stays in the list until this one is there. */
  replaces?: JobRef | undefined;
  /** Its job expired while the server put the start off, and it was queued again for a new one. */
  resent: boolean;
  /** The server was asked to start its job. It may have done so although no answer came. */
  launched: boolean;
  /** How many of its jobs in a row lost all of their uploads, although the server answered meanwhile. */
  lost: number;
  cancel: AbortController;
}

/** All that were begun since the page was opened, in their order. */
export const tasks = signal<readonly Task[]>([]);

/** The tasks by the keys of their samples. */
export const taskOf = computed<ReadonlyMap<number, Task>>(() => new Map(tasks.value.map((t) => [t.key, t])));

/** The task of a sample, for its row: that is rendered again when its own task changes, and not for any other. */
export const useTask = (key: number) => useComputed(() => taskOf.value.get(key)).value;

/** How many are not at their end. */
export const underway = computed(() => tasks.value.filter((t) => !isEnded(t.state.value)).length);

/** Whether a task does nothing any more. */
export const isEnded = (state: TaskState) => state === "started" || state === "failed" || state === "cancelled";

/** How many samples are on their way at the same time. More would not be faster, and each has a job that must be started soon. */
const parallel = 3;
let running = 0;

export interface Order {
  key: number;
  name: string;
  kind: WorkflowKind;
  config: Config;
  files: { kind: UploadKind; file: File }[];
  /** The job of an earlier visit in whose place it is. */
  replaces?: JobRef | undefined;
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
    ...order, batch, job, resent: false, launched: false, lost: 0, size: order.files.reduce((sum, f) => sum + f.file.size, 0),
    state: signal<TaskState>("queued"), sent: signal(0), note: signal(""), cancel: new AbortController(),
  };
}

/** Begins again with a sample whose task failed or was cancelled, as the sample is now. */
export function retry(old: Task, order: Order): void {
  void discard(old);
  begin([order]);
}

export function cancel(task: Task): void {
  if (isEnded(task.state.value)) return;
  task.state.value = "cancelled";
  task.note.value = "";
  task.cancel.abort();
  void discard(task);
}

/** Cancels the tasks of samples that have not ended. */
export function cancelAll(keys: Iterable<number>): void {
  for (const key of keys) {
    const task = taskOf.peek().get(key);
    if (task !== undefined) cancel(task);
  }
}

/** Removes the job of a task that was cancelled, or that begins again. */
async function discard(t: Task): Promise<void> {
  const job = t.job;
  if (job === undefined) return;
  if (!t.launched) {
    await drop(job);
    return;
  }
  // The answer to the start may be lost, and the job run for hours. It is kept until the server has deleted it. A reload does not start it.
  if (jobs.peek().get(job.job_id)?.pending?.refused === "") await change(job.job_id, { pending: undefined });
  await removeJobs([job.job_id]);
  const reason = stuck.peek().get(job.job_id);
  if (reason === undefined) return;
  t.note.value = `Its job could not be deleted, and may run: ${reason} It is in the list of jobs.`;
  wake();
}

/** Removes a job that was never started from the server and from this browser. It would expire, too. */
async function drop(job: JobRef): Promise<void> {
  await removeJob(job).catch(() => undefined);
  await forget([job.job_id]);
}

function pump(): void {
  while (running < parallel) {
    const next = tasks.value.find((t) => t.state.value === "queued");
    if (next === undefined) return;
    running++;
    let inLane = true;
    const leave = () => {
      if (inLane) running--;
      inLane = false;
      pump();
    };
    void bring(next, leave).finally(leave);
  }
}

/** Sets what a task does now. One that was cancelled meanwhile does nothing any more. */
function enter(t: Task, state: TaskState): void {
  t.cancel.signal.throwIfAborted();
  t.state.value = state;
}

/** Brings a sample to the server. `leave` gives its lane to the next one before its end. */
async function bring(t: Task, leave: () => void): Promise<void> {
  try {
    for (let refusals = 0; ; ) {
      const links = await create(t);
      try {
        await send(t, links);
        break;
      } catch (error) {
        // An upload can't go on in the middle, and a link that expired can't be renewed: a new job has new links.
        const mayBeOfLink = error instanceof Refused && (error.status === 403 || error.status === 404 || error.temporary) && ++refusals < mostRefused;
        if (!(error instanceof Lost || mayBeOfLink)) throw error;
        if (error instanceof Lost) countLost(t);
        await dropJob(t);
      }
    }
    await launch(t, leave);
  } catch (error) {
    if (t.state.value === "cancelled") return;
    t.state.value = "failed";
    t.note.value = error instanceof Error ? error.message : String(error);
  }
}

/** Counts a job whose uploads were lost, and throws an error if there were too many. What is lost without a network does not count. */
function countLost(t: Task): void {
  const isAnySent = jobs.value.get(t.job?.job_id ?? "")?.pending?.files.some((f) => f.sent) === true;
  const isOffline = globalThis.navigator?.onLine === false;
  t.lost = isAnySent || isOffline ? 0 : t.lost + 1;
  if (t.lost >= mostRefused) throw new Error("The server answers, but its storage can't be reached from this browser.");
}

/** Removes a task's job, in whose place it gets a new one. */
async function dropJob(t: Task): Promise<void> {
  const old = t.job;
  t.job = undefined;
  if (old !== undefined) await drop(old);
}

/** Creates the job, and returns its links. */
async function create(t: Task): Promise<UploadLink[]> {
  enter(t, "creating");
  t.sent.value = 0;
  const call = async () => {
    try {
      return await init(t.name, t.kind, t.batch, t.cancel.signal);
    } catch (error) {
      if (error instanceof Unreachable) t.lost = 0; // the connection is the reason, not the storage
      throw error;
    }
  };
  const made = await persistently(t, call);
  if (t.cancel.signal.aborted) void drop(made.job); // cancel() did not know it yet
  t.cancel.signal.throwIfAborted();
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
  if (t.replaces !== undefined) void drop(t.replaces).then(() => (t.replaces = undefined));
  return made.uploads;
}

async function send(t: Task, links: UploadLink[]): Promise<void> {
  enter(t, "sending");
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

interface Start {
  job: JobRef;
  kind: WorkflowKind;
  config: Config;
  /** Takes what the start waits for, in words for people. */
  note?: (text: string) => void;
  signal?: AbortSignal;
}

/** Starts a job. A start that is put off for long gives its lane to the next one, and does not hold up the jobs behind it. */
async function startInLane({ job, kind, config, note, signal }: Start, leave: () => void): Promise<void> {
  let waited = 0;
  const waits = (text: string, wait: number) => {
    note?.(text);
    waitingFor(job.job_id, text);
    waited += wait;
    if (waited > longestPause) leave();
  };
  await started(job, await patiently(() => start(job, kind, config, signal), waits, isTemporary, signal));
}

/** Starts the job of a task. */
async function launch(t: Task, leave: () => void): Promise<void> {
  enter(t, "starting");
  t.launched = true;
  const job = t.job!;
  const since = Date.now();
  try {
    await startInLane({ job, kind: t.kind, config: t.config, note: (text) => (t.note.value = text), signal: t.cancel.signal }, leave);
    enter(t, "started");
  } catch (error) {
    // A job that is not started expires soon after its links, which may be before the server wants to be asked again, or while the computer
    // sleeps: so the clock counts, and not the pauses that were planned. One that was deleted in the list of jobs is not there, either.
    if (Date.now() - since > longestPause && isMissing(error) && jobs.value.has(job.job_id) && !t.resent) {
      t.resent = true;
      await dropJob(t);
      t.launched = false;
      enter(t, "queued");
      return;
    }
    await unstarted(job, error);
    throw error;
  }
}

const isMissing = (error: unknown) => error instanceof ServerError && error.status === 404;

async function started(job: JobRef, warnings: Warning[]): Promise<void> {
  await change(job.job_id, { pending: undefined, gone: undefined, warnings });
  wake();
}

/** Keeps the reason of a start that failed where the job is shown. A job that the server does not know is not refused: it may be back. */
async function unstarted(job: JobRef, error: unknown): Promise<void> {
  const pending = jobs.value.get(job.job_id)?.pending;
  if (pending === undefined || !(error instanceof ServerError)) return;
  await change(job.job_id, isMissing(error) ? { gone: "not_found" } : { pending: { ...pending, refused: error.message } });
}

/** What is temporary is tried again; the sample's row says so. */
const persistently = <T>(t: Task, call: () => Promise<T>) => patiently(call, (text) => (t.note.value = text), isTemporary, t.cancel.signal);

/**
 * After so many lost connections in a row, the link may be the reason: a server that was restarted elsewhere has its storage at another
 * address. A new job has a new link.
 */
const mostLost = 5;

/** After so many jobs for a file whose uploads the storage refused, or that were all lost, new links are no help. */
const mostRefused = 5;

const mayRetryUpload = (error: unknown, failures: number) =>
  (error instanceof Lost || (error instanceof Refused && error.temporary)) && failures < mostLost;

/**
 * After a reload, or when the server has jobs again that it did not have: starts those whose files were all sent. The others need their files
 * again, see `again`.
 */
export async function resume(some: Iterable<KeptJob> = jobs.value.values()): Promise<void> {
  const ofTasks = new Set(tasks.value.map((t) => t.job?.job_id));
  const isSent = (job: KeptJob) => job.pending !== undefined && job.pending.refused === "" && job.gone === undefined && job.pending.files.every((f) => f.sent);
  await inLanes([...some].filter((job) => isSent(job) && !ofTasks.has(job.id)), async (job, leave) => {
    try {
      await startInLane({ job: ref(job), kind: job.kind, config: job.pending!.config }, leave);
    } catch (error) {
      await unstarted(ref(job), error);
    }
  });
}

/** Does something with each, a few at a time. An act that calls `leave` no longer counts. */
async function inLanes<T>(all: T[], act: (one: T, leave: () => void) => Promise<void>): Promise<void> {
  const queue = [...all];
  const lane = async () => {
    for (let one = queue.shift(); one !== undefined; one = queue.shift()) {
      const next = one;
      await new Promise<void>((leave, fail) => act(next, leave).then(leave, fail));
    }
  };
  await Promise.all(Array.from({ length: parallel }, lane));
}

/** What the starts after a reload wait for, by the ids of their jobs. */
export const waits = signal<ReadonlyMap<string, string>>(new Map());

function waitingFor(id: string, text: string): void {
  const next = new Map(waits.value);
  if (text !== "") next.set(id, text);
  else if (!next.delete(id)) return;
  waits.value = next;
}

/** The files that a job needs again after a reload. */
export const lacking = (job: KeptJob) => (job.pending?.files ?? []).filter((f) => !f.sent);

/** The task that brings a job, or its successor. */
export const taskOfJob = (id: string) => tasks.value.findLast((t) => t.job?.job_id === id || t.replaces?.job_id === id);

/** Begins again with a job whose files were not all sent before a reload, as a new one. It returns what is wrong with the files, if so. */
export function again(job: KeptJob, files: File[]): string {
  const pending = job.pending;
  const now = taskOfJob(job.id);
  if (pending === undefined || (now !== undefined && !isEnded(now.state.value))) return "";
  const chosen: Order["files"] = [];
  for (const wanted of pending.files) {
    const file = files.find((f) => f.name === wanted.name) ?? (pending.files.length === 1 && files.length === 1 ? files[0] : undefined);
    if (file === undefined) return `${wanted.name} is not among the chosen files.`;
    chosen.push({ kind: wanted.kind, file });
  }
  begin([{ key: -Date.now(), name: job.name, kind: job.kind, config: pending.config, files: chosen, replaces: ref(job) }]);
  return "";
}

// Leaving the page would end uploads: the browser asks first.
addEventListener("beforeunload", (event) => {
  if (underway.value > 0) event.preventDefault();
});
