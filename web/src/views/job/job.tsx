// One job: its state, why it failed, its results, its logs.
import { useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import "./job.css";
import { result as fetchResult, ServerError } from "../../api/client";
import type { JobResult } from "../../api/types";
import { Question } from "../../parts/dialog";
import { count, duration, time } from "../../parts/format";
import { Icon } from "../../parts/icon";
import { detailOf, stageOf, StateMark, stateOf, type State } from "../../parts/state";
import { stageTitle, workflowTitle } from "../../parts/words";
import { go, jobLink, shareLink } from "../../router";
import { now } from "../../state/clock";
import type { KeptJob } from "../../state/db";
import { jobs, known, loaded, put, ref } from "../../state/jobs";
import { isPutOff, isTemporary, patiently, wordsOf } from "../../state/patience";
import { removeJobs, stuck } from "../../state/removal";
import { repeating, repeatJob } from "../../state/repeat";
import { wake } from "../../state/watch";
import { adviceFor, repeatable } from "./advice";
import { Logs } from "./log";
import { preload, Results } from "./results/results";

export interface JobViewProps {
  id: string;
  /** From the link that was opened; empty for a job that this browser keeps. */
  secret: string;
  /** The part of the view: empty for the results, or "log". */
  part: string;
}

export function JobView({ id, secret, part }: JobViewProps) {
  const job = jobs.value.get(id);
  useEffect(() => {
    if (!loaded.value || secret === "") return;
    const kept = jobs.value.get(id);
    if (kept === undefined || (kept.secret !== secret && kept.gone === "unauthorized")) void put([known({ job_id: id, secret })]).then(wake);
    go(jobLink(id, part), true); // the secret is kept, and need not stay in the address
  }, [id, secret, loaded.value]);

  if (job === undefined) {
    if (!loaded.value || secret !== "") return <p class="soft">Opening the job …</p>;
    return (
      <div class="stack">
        <h1>This browser does not know the job</h1>
        <p>
          The address has the job’s id alone. Open a link that also has its secret: <em>Share</em> makes one in the browser that started the job.
        </p>
        <p>
          <a href="#/jobs">All jobs of this browser</a>
        </p>
      </div>
    );
  }
  return <Known job={job} part={part} />;
}

function Known({ job, part }: { job: KeptJob; part: string }) {
  const state = stateOf(job);
  const ended = state === "successful" || state === "error";
  const live = state === "running" || state === "waiting";
  const hasLog = state !== "created" && state !== "refused" && state !== "gone";
  const tab = part === "log" || !ended ? "log" : "results";
  const stayed = stuck.value.get(job.id);
  return (
    <article class="job">
      <nav aria-label="Path" class="small">
        <a href="#/jobs">Jobs</a>
      </nav>
      <header>
        <div class="row spread">
          <h1>{job.name || "Unnamed job"}</h1>
          <Actions job={job} state={state} />
        </div>
        <p class="facts-line">
          <StateMark state={state} />
          <span>{workflowTitle(job.kind)}</span>
          <Times job={job} state={state} />
        </p>
      </header>
      {stayed !== undefined && (
        <p class="note bad" role="alert">
          The job could not be deleted: {stayed}
        </p>
      )}
      <Failure job={job} state={state} />
      {job.warnings.length > 0 && (
        <ul class="note warn warnings" aria-label="Warnings">
          {job.warnings.map((w) => (
            <li key={w.code + w.message}>{w.message}</li>
          ))}
        </ul>
      )}
      {live && <Now job={job} />}
      {ended && (
        <nav class="tabs" aria-label="Parts of the job">
          <a href={jobLink(job.id)} aria-current={tab === "results" ? "page" : undefined}>
            Results
          </a>
          <a href={jobLink(job.id, "log")} aria-current={tab === "log" ? "page" : undefined}>
            Log
          </a>
        </nav>
      )}
      {ended && tab === "results" && <ResultsSlot key={`${job.id} ${state}`} job={job} state={state} />}
      {tab === "log" && hasLog && <Logs job={job} live={live} />}
    </article>
  );
}

/** The reason of a failure and what to do, where the eye falls first. */
function Failure({ job, state }: { job: KeptJob; state: State }) {
  if (state === "refused") {
    return (
      <section class="failure" role="alert">
        <h2>The server refused to start this job</h2>
        <p class="reason">{job.pending?.refused}</p>
        <p>
          Correct that, and <a href="#/">start it again</a> with the corrected file or options.
        </p>
      </section>
    );
  }
  if (state === "gone") {
    return (
      <section class="failure">
        <h2>{job.gone === "unauthorized" ? "The secret is not this job’s" : "The server does not have this job any more"}</h2>
        <p>
          {job.gone === "unauthorized"
            ? "Ask for the link again: a part of it may be missing."
            : "It was deleted, or it has expired: jobs are kept for a limited time after their end."}
        </p>
      </section>
    );
  }
  if (state !== "error") return null;
  const failure = job.last?.failure;
  return (
    <section class="failure" role="alert">
      <h2>{failure?.stage !== undefined ? `${stageTitle(failure.stage)} failed` : "The job failed"}</h2>
      <p class="reason">{failure?.message ?? "The reason is at the end of the log."}</p>
      <p>{adviceFor(failure?.code)}</p>
    </section>
  );
}

function Times({ job, state }: { job: KeptJob; state: State }) {
  const last = job.last;
  if (last === undefined) return null;
  const began = Date.parse(last.began ?? last.started);
  if (state === "running") return <span>for {duration(now.value - began)}</span>;
  if (state === "successful" || state === "error") {
    const ended = new Date(last.ended ?? last.updated);
    return (
      <>
        <span>{time(ended)}</span>
        <span>took {duration(ended.getTime() - began)}</span>
        {last.expires !== undefined && <span>kept until {new Date(last.expires).toLocaleDateString()}</span>}
      </>
    );
  }
  return <span>since {time(new Date(last.started))}</span>;
}

/** What a job that is not at its end does at the moment. */
function Now({ job }: { job: KeptJob }) {
  const last = job.last;
  const progress = last?.progress;
  const steps = progress?.steps ?? 0;
  const step = progress?.step ?? 0;
  const detail = detailOf(job, now.value);
  return (
    <section class="now sheet" aria-label="Progress">
      <div class="row spread">
        <p class="now-text" role="status">
          {detail === "" ? (stateOf(job) === "running" ? "It runs" : "It waits to run") : detail}
        </p>
        {steps > 0 && (
          <p class="soft">
            {stageOf(job) === "" ? "Step" : `${stageOf(job)}: step`} {count(step)} of {count(steps)}
          </p>
        )}
      </div>
      {steps > 0 && (
        <div class="bar" role="progressbar" aria-label="Steps" aria-valuemin={0} aria-valuemax={steps} aria-valuenow={step}>
          <span style={{ transform: `scaleX(${step / steps})` }} />
        </div>
      )}
    </section>
  );
}

function Actions({ job, state }: { job: KeptJob; state: State }) {
  const asked = useSignal(false);
  const copied = useSignal(false);
  const problem = useSignal("");
  const share = async () => {
    const link = shareLink(job.id, job.secret);
    try {
      await navigator.clipboard.writeText(link);
      copied.value = true;
      setTimeout(() => (copied.value = false), 3_000);
    } catch {
      prompt("The link to this job. Whoever has it can see and delete the job.", link); // the clipboard needs HTTPS or this machine
    }
  };
  const repeat = async () => {
    if (repeating.peek().has(job.id)) return; // a second click, before the button was disabled
    problem.value = "";
    try {
      go(jobLink(await repeatJob(job.id)));
    } catch (error) {
      problem.value = error instanceof Error ? error.message : String(error);
    }
  };
  const waits = repeating.value.get(job.id);
  const trouble = waits || problem.value;
  return (
    <div class="row actions">
      {trouble !== "" && <span class="bad small">{trouble}</span>}
      {state === "error" && repeatable(job.last?.failure?.code) && (
        <button type="button" class="button small main" disabled={waits !== undefined} onClick={() => void repeat()}>
          <Icon name="again" />
          Run again
        </button>
      )}
      <button type="button" class="button small" onClick={() => void share()} title="Copy a link that opens this job elsewhere. Whoever has it can see and delete the job.">
        <Icon name={copied.value ? "check" : "share"} />
        <span aria-live="polite">{copied.value ? "Link copied" : "Share"}</span>
      </button>
      <button type="button" class="button small" onClick={() => (asked.value = true)}>
        <Icon name="bin" />
        Delete
      </button>
      {asked.value && (
        <Question
          title={`Delete ${job.name || "this job"}?`}
          act="Delete"
          onAct={() => {
            void removeJobs([job.id]).then(() => {
              if (!jobs.value.has(job.id)) go("#/jobs", true);
            });
          }}
          onClose={() => (asked.value = false)}
        >
          <p>Its uploads, results and logs are deleted on the server, for everyone who has its link. This can’t be undone.</p>
        </Question>
      )}
    </div>
  );
}

/** Fetches the links of the results, and shows the results when they are there. */
function ResultsSlot({ job, state }: { job: KeptJob; state: "successful" | "error" }) {
  const links = useSignal<JobResult | undefined>(undefined);
  const problem = useSignal<unknown>(undefined);
  const waits = useSignal("");
  const stop = useMemo(() => new AbortController(), [job.id]);
  const fetched = async (mayRetry = isPutOff) => {
    const answer = await patiently(() => fetchResult(ref(job), stop.signal), (text) => (waits.value = text), mayRetry, stop.signal);
    links.value = answer;
    return answer;
  };
  useEffect(() => {
    preload().catch(() => {}); // Results says so
    fetched(isTemporary).catch((error: unknown) => (problem.value = error));
    return () => stop.abort();
  }, [job.id]);
  if (links.value !== undefined) {
    if (state === "error" && Object.keys(links.value.result.files).length === 0) return <p class="soft">A job that failed this early has no results.</p>;
    return <Results job={ref(job)} result={links.value} state={state} refresh={() => fetched()} />;
  }
  const error = problem.value;
  // The server answers with 400 if a job failed before it had results. Any other error is not about them.
  if (state === "error" && error instanceof ServerError && error.status === 400) return <p class="soft">There are no results.</p>;
  if (error !== undefined) return <p class="note bad">{wordsOf(error)}</p>;
  return <p class={waits.value === "" ? "soft" : "note warn"}>{waits.value || "Getting the results …"}</p>;
}
