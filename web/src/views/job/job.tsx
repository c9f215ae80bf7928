// One job: its state, why it failed, its logs, its results.
import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { result as fetchResult } from "../../api/client";
import type { JobResult } from "../../api/types";
import { StateMark, stateOf } from "../../parts/state";
import { go, jobLink } from "../../router";
import { jobs, known, loaded, put, ref } from "../../state/jobs";
import { wake } from "../../state/watch";
import { Results } from "./results/results";

export interface JobViewProps {
  id: string;
  /** From the link that was opened; empty for a job that this browser keeps. */
  secret: string;
  part: string;
}

export function JobView({ id, secret, part }: JobViewProps) {
  const job = jobs.value.get(id);
  useEffect(() => {
    if (!loaded.value || secret === "") return;
    const kept = jobs.value.get(id);
    if (kept === undefined || kept.secret !== secret) void put([known({ job_id: id, secret })]).then(wake);
    go(jobLink(id, part), true); // the secret is kept, and need not stay in the address
  }, [id, secret, loaded.value]);

  if (job === undefined) {
    if (!loaded.value || secret !== "") return <p class="soft">Opening the job …</p>;
    return (
      <div class="stack">
        <h1>This browser does not know the job</h1>
        <p>
          The address has the job's id alone. Open a link that also has its secret: <em>Share</em> on the job's page makes one.
        </p>
      </div>
    );
  }
  const state = stateOf(job);
  return (
    <article class="stack">
      <header class="row spread">
        <h1>{job.name || "Unnamed job"}</h1>
        <StateMark state={state} />
      </header>
      {job.last?.failure && (
        <p class="note bad" role="alert">
          {job.last.failure.message}
        </p>
      )}
      {(state === "successful" || state === "error") && <ResultsSlot key={job.id} id={job.id} state={state} />}
    </article>
  );
}

/** Fetches the links of the results, and shows the results when they are there. */
function ResultsSlot({ id, state }: { id: string; state: "successful" | "error" }) {
  const links = useSignal<JobResult | undefined>(undefined);
  const problem = useSignal("");
  const fetched = async () => {
    const job = jobs.peek().get(id);
    if (job === undefined) throw new Error("The job was removed from this browser.");
    return (links.value = await fetchResult(ref(job)));
  };
  useSignalEffect(() => {
    fetched().catch((error: unknown) => {
      problem.value = error instanceof Error ? error.message : String(error);
    });
  });
  const job = jobs.value.get(id);
  if (job === undefined) return null;
  if (links.value !== undefined) return <Results job={ref(job)} result={links.value} state={state} refresh={fetched} />;
  return problem.value === "" ? <p class="soft">Getting the results …</p> : <p class="note bad">{problem.value}</p>;
}
