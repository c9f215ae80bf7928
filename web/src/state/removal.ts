// Deletes jobs on the server and here.
import { signal } from "@preact/signals";
import { remove as removeJob, ServerError } from "../api/client";
import { forget, jobs, ref } from "./jobs";
import { isPutOff, patiently } from "./patience";

/** The jobs that are being deleted, by their ids, each with what its deletion waits for. */
export const leaving = signal<ReadonlyMap<string, string>>(new Map());

/** What went wrong at the last deletion of each job, by its id. */
export const stuck = signal<ReadonlyMap<string, string>>(new Map());

const parallel = 4;

/** Deletes jobs on the server with all of their data, and then here. A job that can't be deleted now stays, with the reason. */
export async function removeJobs(ids: string[]): Promise<void> {
  leaving.value = new Map([...leaving.value, ...ids.map((id) => [id, ""] as const)]);
  const failed = new Map<string, string>();
  const queue = [...ids];
  const gone: string[] = [];
  const one = async () => {
    for (let id = queue.shift(); id !== undefined; id = queue.shift()) {
      const job = jobs.peek().get(id);
      try {
        const note = (text: string) => {
          if (leaving.peek().get(job!.id) !== text) leaving.value = new Map([...leaving.peek(), [job!.id, text]]);
        };
        // The server is also asked for jobs that it did not know before: another one may have answered then.
        if (job !== undefined) await patiently(() => removeJob(ref(job)), note, isPutOff);
        gone.push(id);
      } catch (error) {
        // A job that the server does not know, or whose secret is another, can only be forgotten.
        if (error instanceof ServerError && (error.status === 404 || error.status === 401)) gone.push(id);
        else failed.set(id, error instanceof Error ? error.message : String(error));
      }
    }
  };
  await Promise.all(Array.from({ length: parallel }, one));
  await forget(gone);
  const left = new Set(ids);
  leaving.value = new Map([...leaving.value].filter(([id]) => !left.has(id)));
  // Several deletions may run at the same time: each changes what is said of its own jobs.
  stuck.value = new Map([...[...stuck.value].filter(([id]) => !left.has(id) && jobs.peek().has(id)), ...failed]);
}
