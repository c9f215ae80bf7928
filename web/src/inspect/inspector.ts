// Asks the server's rules, which run in a worker. It is started at the first question, and ended when there was none for a while: its
// memory never shrinks.
import { signal } from "@preact/signals";
import type { Config, UploadKind, Warning } from "../api/types";
import type { Question, Reply } from "./worker";

/** Whether files can be checked here. A server that was built without the rules checks them when a job starts. */
export const rules = signal<"unused" | "loading" | "ready" | "missing">("unused");

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
  resolve: (answer: unknown) => void;
  reject: (error: Error) => void;
}

const idle = 10_000;
let worker: Worker | undefined;
let last = 0;
let timer = 0;
const waiting = new Map<number, Waiting>();

function start(): Worker {
  const made = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  rules.value = "loading";
  made.onmessage = ({ data }: MessageEvent<Reply | "ready">) => {
    if (data === "ready") return; // the program says so before it can be asked
    const one = waiting.get(data.id);
    waiting.delete(data.id);
    rest();
    if ("fault" in data) {
      end("missing");
      one?.reject(new Missing(data.fault));
      return;
    }
    rules.value = "ready";
    const answer = JSON.parse(data.answer) as { error?: string };
    if (answer?.error !== undefined) one?.reject(new Error(answer.error));
    else one?.resolve(answer);
  };
  made.onerror = (event) => {
    event.preventDefault();
    end("missing");
  };
  return made;
}

/** Ends the worker when it has nothing to do for a while. */
function rest(): void {
  clearTimeout(timer);
  if (waiting.size === 0) timer = window.setTimeout(() => end("unused"), idle);
}

function end(now: "unused" | "missing"): void {
  worker?.terminate();
  worker = undefined;
  rules.value = now;
  const open = [...waiting.values()];
  waiting.clear();
  for (const one of open) one.reject(now === "missing" ? new Missing() : new Withdrawn());
}

function ask<T>(request: object, files: File[]): Promise<T> {
  if (rules.value === "missing") return Promise.reject(new Missing());
  clearTimeout(timer);
  worker ??= start();
  const question: Question = { id: ++last, request: JSON.stringify(request), files };
  const asked = worker;
  return new Promise<T>((resolve, reject) => {
    waiting.set(question.id, { resolve: resolve as (answer: unknown) => void, reject });
    asked.postMessage(question);
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
