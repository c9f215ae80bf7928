// Deletes jobs on the server and here.
import { signal } from "@preact/signals";
import { remove as removeJob, ServerError } from "../api/client";
import { forget, jobs, ref } from "./jobs";

/** Ids of jobs that are being deleted. */
export const leaving = signal<ReadonlySet<string>>(new Set());

/** What went wrong at the last deletion, by job. */
export const stuck = signal<ReadonlyMap<string, string>>(new Map());

const parallel = 4;

/** Deletes jobs on the server with all of their data, and then here. A job that can't be deleted now stays, with the reason. */
export async function removeJobs(ids: string[]): Promise<void> {
  leaving.value = new Set([...leaving.value, ...ids]);
  const failed = new Map<string, string>();
  const queue = [...ids];
  const gone: string[] = [];
  const one = async () => {
    for (let id = queue.shift(); id !== undefined; id = queue.shift()) {
      const job = jobs.peek().get(id);
      try {
        // A job that the server does not know, or whose secret is another, can only be forgotten.
        if (job !== undefined && job.gone === undefined) await removeJob(ref(job));
        gone.push(id);
      } catch (error) {
        if (error instanceof ServerError && (error.status === 404 || error.status === 401)) gone.push(id);
        else failed.set(id, error instanceof Error ? error.message : String(error));
      }
    }
  };
  await Promise.all(Array.from({ length: parallel }, one));
  await forget(gone);
  leaving.value = new Set([...leaving.value].filter((id) => !ids.includes(id)));
  stuck.value = failed;
}
