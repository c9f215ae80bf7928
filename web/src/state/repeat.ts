// Runs failed jobs again on the server, as new ones.
import { signal } from "@preact/signals";
import { rerun, ServerError } from "../api/client";
import { change, jobs, known, put, ref } from "./jobs";
import { patiently } from "./patience";
import { randomName } from "./random";
import { wake } from "./watch";

/** The jobs that are being run again, by their ids, each with what that waits for. */
export const repeating = signal<ReadonlyMap<string, string>>(new Map());

function note(id: string, text: string | undefined): void {
  const next = new Map(repeating.peek());
  if (text === undefined) next.delete(id);
  else next.set(id, text);
  repeating.value = next;
}

/** Runs a job again, and returns the id of the new one. A call whose answer was lost, also by a reload, makes no second job. */
export async function repeatJob(id: string): Promise<string> {
  const job = jobs.peek().get(id);
  if (job === undefined) throw new Error("This browser does not know the job any more.");
  note(id, "");
  try {
    const key = job.repeat ?? randomName();
    await change(id, { repeat: key });
    const made = await patiently(() => rerun(ref(job), key), (text) => note(id, text));
    if (!jobs.peek().has(made.job.job_id)) await put([known(made.job, job.name, made.workflow_kind, job.batch)]);
    await change(id, { repeat: undefined });
    wake();
    return made.job.job_id;
  } catch (error) {
    // The key made a job that is not wanted or not there any more. After any other refusal it has made none, or its job is not known.
    if (error instanceof ServerError && error.status === 409) await change(id, { repeat: undefined });
    throw error;
  } finally {
    note(id, undefined);
  }
}
