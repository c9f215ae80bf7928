// What this browser keeps: one IndexedDB with a store of jobs and one of settings. Where a browser has none (some private windows),
// the page works for as long as it is open.
import { signal } from "@preact/signals";
import type { Config, Job, UploadKind, Warning, WorkflowKind } from "../api/types";

/** A job that this browser knows. */
export interface KeptJob {
  id: string;
  secret: string;
  name: string;
  kind: WorkflowKind;
  batch: string;
  /** When this browser created it or opened its link, in ms since 1970. */
  added: number;
  /** What the server said last; undefined before the first answer. */
  last: Job | undefined;
  /** The server did not know it when it was asked last, or knew it with another secret. */
  gone: "not_found" | "unauthorized" | undefined;
  /** What the server warned of at its start. */
  warnings: Warning[];
  /** It was created here, and is not started yet: what is still needed for that. */
  pending: Pending | undefined;
  /** The key of a call that runs it again and whose answer is not known yet. The same key makes no second job. */
  repeat?: string | undefined;
}

/** What it takes to start a job after a reload. Files themselves can't be kept. */
export interface Pending {
  config: Config;
  files: { kind: UploadKind; name: string; size: number; sent: boolean; url: string }[];
  /** Why the server refused the start; empty while it did not. */
  refused: string;
}

/** A change could not be kept, as on a full disk: the page works on with what it has in memory. */
export const keepsNothing = signal(false);

const name = "bakta-web";
let opened: Promise<IDBDatabase | undefined> | undefined;

function open(): Promise<IDBDatabase | undefined> {
  opened ??= new Promise((resolve) => {
    let request: IDBOpenDBRequest;
    try {
      request = indexedDB.open(name, 1);
    } catch {
      resolve(undefined);
      return;
    }
    request.onupgradeneeded = () => {
      request.result.createObjectStore("jobs", { keyPath: "id" });
      request.result.createObjectStore("settings");
    };
    request.onsuccess = () => {
      const db = request.result;
      // A newer page in another tab changes the database: this one lets go, and opens it again when it needs it.
      db.onversionchange = () => {
        db.close();
        opened = undefined;
      };
      // The browser closed it, for example because the user cleared its data.
      db.onclose = () => (opened = undefined);
      resolve(db);
    };
    request.onerror = () => resolve(undefined);
    request.onblocked = () => resolve(undefined);
  });
  return opened;
}

/**
 * Runs a transaction. The result is that of the request, or undefined if nothing can be kept: it never fails, since what it is for goes on
 * without it. A start that the server took would be a failed one, and *Try again* would delete its job.
 */
async function run<T>(store: string, mode: IDBTransactionMode, act: (s: IDBObjectStore) => IDBRequest<T> | undefined): Promise<T | undefined> {
  return (await done(store, mode, act))?.result;
}

/** Runs a transaction, and returns undefined if it did nothing. */
async function done<T>(
  store: string,
  mode: IDBTransactionMode,
  act: (s: IDBObjectStore) => IDBRequest<T> | undefined,
): Promise<{ result: T | undefined } | undefined> {
  for (let isFirst = true; ; isFirst = false) {
    const db = await open();
    if (db === undefined) return undefined;
    try {
      return await new Promise((resolve, reject) => {
        const transaction = db.transaction(store, mode);
        const request = act(transaction.objectStore(store));
        transaction.oncomplete = () => resolve({ result: request?.result });
        transaction.onabort = () => reject(transaction.error ?? new Error("The browser's storage refused a change."));
      });
    } catch (error) {
      // The connection was closed before its event came: a new one may do.
      if (isFirst && error instanceof DOMException && error.name === "InvalidStateError") {
        opened = undefined;
        continue;
      }
      if (mode === "readwrite") keepsNothing.value = true;
      return undefined;
    }
  }
}

/** All kept jobs; undefined if there is no database that says which there are. */
export const allJobs = () => run<KeptJob[]>("jobs", "readonly", (s) => s.getAll() as IDBRequest<KeptJob[]>);

/** Keeps jobs, and reports whether they are kept. */
export async function putJobs(jobs: KeptJob[]): Promise<boolean> {
  const kept = await done<undefined>("jobs", "readwrite", (s) => {
    for (const job of jobs) s.put(job);
    return undefined;
  });
  if (kept !== undefined) keepsNothing.value = false;
  return kept !== undefined;
}

export const dropJobs = (ids: string[]) =>
  run<undefined>("jobs", "readwrite", (s) => {
    for (const id of ids) s.delete(id);
    return undefined;
  });

export const setting = <T>(key: string) => run<T>("settings", "readonly", (s) => s.get(key) as IDBRequest<T>);

export const keep = (key: string, value: unknown) => run<undefined>("settings", "readwrite", (s) => (s.put(value, key), undefined));
