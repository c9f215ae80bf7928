// Asks the server's rules, which run in a worker. It is started at the first question, and ended when there was none for a while: its
// memory never shrinks.
import { signal } from "@preact/signals";
import type { Config, UploadKind, Warning } from "../api/types";
import type { Question, Reply } from "./worker";

/**
 * Whether files can be checked here. A server that was built without the rules (missing), or whose rules could not be loaded (lost), checks
 * them when a job starts.
 */
export const rules = signal<"unused" | "loading" | "ready" | "missing" | "lost">("unused");

/** What a file is by its content. */
export interface Kind {
  kind: UploadKind;
  /** The ending that a compressed file's name should have: ".gz". */
  compressed: string;
}

export interface Sequence {
  id: string;
  length: number;
  complete: boolean;
}

/** What a start would say of the files of a job. */
export interface Report extends Kind {
  /** Why a start would refuse them, in the server's words; empty if it would not. */
  problem: string;
  culprit: UploadKind;
  warnings: Warning[];
  count: number;
  letters: number;
  gc: number;
  n: number;
  ambiguous: number;
  /** The file was read to its end. */
  whole: boolean;
  /** At most 200. */
  sequences: Sequence[];
}

/** A rule that an option breaks. */
export interface Violation {
  field: string;
  problem: string;
}

/** The rules are not there. */
export class Missing extends Error {}

/** A question was withdrawn, or the worker ended. */
export class Withdrawn extends Error {}

interface Waiting {
  question: Question;
  resolve: (answer: unknown) => void;
  reject: (error: Error) => void;
}

const idle = 10_000;
/** How often the rules are loaded in a row, and for how long not after that, in ms. */
const mostLoads = 5;
const pauseOfLost = 30_000;
let worker: Worker | undefined;
let last = 0;
let timer = 0;
let failures = 0;
/** The timer of the next load after one that failed; 0 if there is none. */
let next = 0;
let lostAt = 0;
const waiting = new Map<number, Waiting>();

function start(): Worker {
  const made = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  rules.value = "loading";
  let isReady = false;
  made.onmessage = ({ data }: MessageEvent<Reply | "ready">) => {
    if (data === "ready") return; // the program says so before it can be asked
    if (made !== worker) return; // the first fault has ended it
    if ("fault" in data) {
      if (data.absent) end("missing");
      else failed();
      return;
    }
    const one = waiting.get(data.id);
    waiting.delete(data.id);
    rest();
    rules.value = "ready";
    isReady = true;
    failures = 0;
    const answer = JSON.parse(data.answer) as { error?: string };
    if (answer?.error !== undefined) one?.reject(new Error(answer.error));
    else one?.resolve(answer);
  };
  made.onerror = (event) => {
    event.preventDefault();
    if (made !== worker) return;
    // A worker that has answered before had its rules: the same question would end the next one, too.
    if (isReady) end("lost");
    else failed();
  };
  return made;
}

/** Loads the rules again after a pause, or at once when the connection is back. The questions stay. */
function failed(): void {
  worker?.terminate();
  worker = undefined;
  if (++failures >= mostLoads) end("lost");
  else next = window.setTimeout(load, 1_000 * 2 ** (failures - 1));
}

function load(): void {
  if (next === 0) return;
  clearTimeout(next);
  next = 0;
  worker = start();
  for (const { question } of waiting.values()) worker.postMessage(question);
}
addEventListener("online", load);

/** Ends the worker when it has nothing to do for a while. */
function rest(): void {
  clearTimeout(timer);
  if (waiting.size === 0) timer = window.setTimeout(() => end("unused"), idle);
}

function end(now: "unused" | "missing" | "lost"): void {
  worker?.terminate();
  worker = undefined;
  failures = 0;
  if (now === "lost") lostAt = Date.now();
  rules.value = now;
  const open = [...waiting.values()];
  waiting.clear();
  for (const one of open) one.reject(now === "unused" ? new Withdrawn() : new Missing());
}

function ask<T>(request: object, files: File[]): Promise<T> {
  if (rules.value === "missing" || (rules.value === "lost" && Date.now() < lostAt + pauseOfLost)) return Promise.reject(new Missing());
  clearTimeout(timer);
  if (next === 0) worker ??= start();
  const question: Question = { id: ++last, request: JSON.stringify(request), files };
  const asked = worker;
  return new Promise<T>((resolve, reject) => {
    waiting.set(question.id, { question, resolve: resolve as (answer: unknown) => void, reject });
    asked?.postMessage(question);
  });
}

export const kindsOf = (files: File[]) => ask<Kind[]>({ do: "kind" }, files);

/** Checks the files of a job together. The file that the workflow is about is the last one. */
export const inspect = (kinds: UploadKind[], files: File[], config: Config, baktfold: boolean) =>
  ask<Report>({ do: "inspect", kinds, config, baktfold }, files);

export const checkOptions = (config: Config) => ask<Violation[]>({ do: "options", config }, []);

/** A row of a sheet. */
export interface SheetRow {
  row: number;
  name: string;
  file: string;
  /** Empty: by the file. */
  workflow: string;
  config: Config;
  /** Paths of further files, by kind. */
  uploads: Record<string, string>;
}

/** A sheet as `bakta-web submit --sheet` reads it, too. */
export interface Sheet {
  /** Why the file can't be read as a sheet at all. */
  problem: string;
  /** Mistakes: a row is its line in the file, a column as the sheet names it. */
  faults: { row: number; column: string; text: string }[];
  rows: SheetRow[];
  ignored: string[];
}

export const readSheet = (file: File) => ask<Sheet>({ do: "sheet", name: file.name }, [file]);
