// The calls of the API. Each throws a ServerError for what the server answers, and an Unreachable when it does not.
import type { Config, JobList, JobLogs, JobRef, JobResult, NewJob, Options, Versions, Warning, Workflow, WorkflowKind } from "./types";

/** An error that the server answered, in its own words. */
export class ServerError extends Error {
  constructor(
    message: string,
    readonly status: number,
    /** Seconds after which the server says to call again; 0 if it does not. */
    readonly retryAfter = 0,
  ) {
    super(message);
    this.name = "ServerError";
  }

  /** The same call may succeed later. */
  get temporary(): boolean {
    return this.status === 429 || this.status >= 500;
  }
}

/** The server did not answer. */
export class Unreachable extends Error {
  constructor() {
    super("The server does not answer.");
    this.name = "Unreachable";
  }
}

const base = "/api/v2";

async function call<T>(method: "GET" | "POST", path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  let answer: Response;
  const request: RequestInit = { method, credentials: "omit", cache: "no-store", referrerPolicy: "no-referrer" };
  if (body !== undefined) {
    request.body = JSON.stringify(body);
    request.headers = { "Content-Type": "application/json" };
  }
  if (signal !== undefined) request.signal = signal;
  let text: string;
  try {
    answer = await fetch(base + path, request);
    text = await answer.text();
  } catch (error) {
    if (signal?.aborted === true) throw error;
    throw new Unreachable();
  }
  if (!answer.ok) {
    throw new ServerError(message(text, answer), answer.status, secondsUntil(answer.headers.get("Retry-After")));
  }
  try {
    return (text === "" ? null : JSON.parse(text)) as T;
  } catch {
    throw new ServerError("The server's answer can't be read. Is there a proxy in front of it that answers in its place?", answer.status);
  }
}

/** The seconds that a header field Retry-After means: a number of them, or a date, as proxies may send. 0 if there is none. */
function secondsUntil(text: string | null): number {
  if (text === null || text.trim() === "") return 0;
  const seconds = /^\d+$/.test(text.trim()) ? Number(text) : (Date.parse(text) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, Math.ceil(seconds)) : 0;
}

/** The text of an error: a JSON string, or whatever a proxy in front of the server says. */
function message(text: string, answer: Response): string {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === "string" && parsed !== "") return parsed;
    const nested = (parsed as { message?: unknown } | null)?.message;
    if (typeof nested === "string") return nested;
  } catch {
    // Not the server's own error.
  }
  return `The server answered with status ${answer.status}${answer.statusText === "" ? "" : ` (${answer.statusText})`}.`;
}

export const workflows = (signal?: AbortSignal) => call<Workflow[]>("GET", "/workflows", undefined, signal);

export const options = (signal?: AbortSignal) => call<Options>("GET", "/options", undefined, signal);

export const versions = (signal?: AbortSignal) => call<Versions>("GET", "/version", undefined, signal);

export const init = (name: string, kind: WorkflowKind, batch?: string, signal?: AbortSignal) =>
  call<NewJob>("POST", "/job/init", { name, workflow_kind: kind, ...(batch === undefined ? {} : { batch }) }, signal);

/** Starts a job and returns the server's warnings. The same start again succeeds. */
export async function start(job: JobRef, kind: WorkflowKind, config: Config, signal?: AbortSignal): Promise<Warning[]> {
  const { warnings } = await call<{ warnings?: Warning[] }>("POST", "/job/submit", { job, workflow_kind: kind, config }, signal);
  return warnings ?? [];
}

export const list = (jobs: JobRef[], signal?: AbortSignal) => call<JobList>("POST", "/job/list", { jobs, details: true }, signal);

/** The links of a job's results; of a failed job those of the stages before the failed one. */
export const result = (job: JobRef, signal?: AbortSignal) => call<JobResult>("POST", "/job/result", { ...job, partial: true }, signal);

export const logs = (job: JobRef, signal?: AbortSignal) => call<JobLogs>("POST", "/job/logs", job, signal);

export const remove = (job: JobRef) => call<null>("POST", "/job/delete", job);

/** Repeats a failed job with the same uploads and options, as a new one. The same key again returns the same job. */
export const rerun = (job: JobRef, key: string) => call<{ job: JobRef; workflow_kind: WorkflowKind }>("POST", "/job/rerun", { job, request_key: key });
