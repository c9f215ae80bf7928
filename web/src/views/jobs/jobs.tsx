// All jobs that this browser knows, in one table.
import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import "./jobs.css";
import { count, counted, duration, time } from "../../parts/format";
import { Question } from "../../parts/dialog";
import { Icon } from "../../parts/icon";
import { detailOf, stageOf, StateMark, stateOf } from "../../parts/state";
import { VirtualRows } from "../../parts/virtual";
import { workflowTitle } from "../../parts/words";
import { jobLink } from "../../router";
import { now } from "../../state/clock";
import type { KeptJob } from "../../state/db";
import { open as openList, save } from "../../state/exchange";
import { jobs, loaded } from "../../state/jobs";
import { leaving, removeJobs, stuck } from "../../state/removal";
import { again, isEnded, lacking, taskOfJob, waits } from "../../state/tasks";
import { chosen, counts, filter, select, selectAll, selected, shown, sortBy, sorting, text, type Filter, type Order, type Sorting } from "./select";

const filters: [Filter, string][] = [
  ["all", "All"],
  ["active", "Active"],
  ["finished", "Finished"],
  ["failed", "Failed"],
];

const narrow = matchMedia("(max-width: 44rem)");

export function JobsView() {
  const asked = useSignal(false);
  const said = useSignal<{ ok: boolean; text: string } | undefined>(undefined);
  const tall = useSignal(narrow.matches);
  narrow.onchange = () => (tall.value = narrow.matches);
  const list = shown.value;
  const picked = chosen.value;
  const all = list.length > 0 && picked.length === list.length;

  return (
    <div class="jobs">
      <div class="row spread">
        <h1>Jobs</h1>
        <ListMenu said={(answer) => (said.value = answer)} />
      </div>
      {said.value !== undefined && (
        <p class={said.value.ok ? "note" : "note bad"} role="status">
          {said.value.text}
        </p>
      )}
      {stuck.value.size > 0 && (
        <p class="note bad" role="alert">
          {counted(stuck.value.size, "job")} could not be deleted: {[...stuck.value.values()][0]}
        </p>
      )}
      {loaded.value && jobs.value.size === 0 ? (
        <div class="none sheet">
          <p class="none-lead">There are no jobs in this browser</p>
          <p class="soft">Jobs that you start here, or whose links you open, are listed here. They are kept in this browser alone.</p>
          <a class="button main" href="#/">
            Annotate a genome
          </a>
        </div>
      ) : (
        <>
          <div class="tools">
            <div class="segments" role="group" aria-label="Show">
              {filters.map(([key, title]) => (
                <button key={key} type="button" aria-pressed={filter.value === key} onClick={() => (filter.value = key)}>
                  {title} <span class="soft">{count(counts.value[key])}</span>
                </button>
              ))}
            </div>
            <label class="search">
              <span class="hidden">Search jobs</span>
              <Icon name="search" />
              <input type="search" placeholder="Search names" value={text.value} onInput={(e) => (text.value = e.currentTarget.value)} />
            </label>
            {tall.value && <OrderChoice />}
          </div>
          <div class={`sheet table${picked.length > 0 ? " picking" : ""}`} role="table" aria-label="Jobs" aria-rowcount={list.length + 1}>
            <div role="rowgroup">
              <div role="row" aria-rowindex={1} class="table-head">
                <span role="columnheader">
                  <input
                    type="checkbox"
                    aria-label="Select all"
                    checked={all}
                    indeterminate={picked.length > 0 && !all}
                    onChange={(e) => selectAll(e.currentTarget.checked)}
                  />
                </span>
                {picked.length > 0 ? (
                  <span role="columnheader" class="picked row">
                    <strong>{count(picked.length)} selected</strong>
                    <button type="button" class="button small bad" onClick={() => (asked.value = true)}>
                      <Icon name="bin" />
                      Delete
                    </button>
                    <button type="button" class="button small quiet" onClick={() => selectAll(false)}>
                      Clear
                    </button>
                  </span>
                ) : (
                  <>
                    <Head by="name" title="Name" />
                    <Head by="state" title="State" />
                    <Head by="added" title="Time" look="number" />
                  </>
                )}
              </div>
            </div>
            <VirtualRows items={list} height={tall.value ? 120 : 68} keyOf={(job) => job.id} row={(job) => <JobRow job={job} />} />
            {list.length === 0 && <p class="soft nothing">No job fits.</p>}
          </div>
        </>
      )}
      {asked.value && (
        <Question
          title={`Delete ${counted(picked.length, "job")}?`}
          act="Delete"
          onAct={() => {
            void removeJobs(picked.map((job) => job.id));
            selectAll(false);
          }}
          onClose={() => (asked.value = false)}
        >
          <p>Their uploads, results and logs are deleted on the server, for everyone who has their links. Running ones are stopped. This can’t be undone.</p>
        </Question>
      )}
    </div>
  );
}

/** The head of a column, which sorts. */
function Head({ by, title, look }: { by: Order; title: string; look?: string }) {
  const now = sorting.value;
  const isOn = now.by === by;
  return (
    <span role="columnheader" class={look} aria-sort={isOn ? (now.descending ? "descending" : "ascending") : "none"}>
      <button type="button" class="head" onClick={() => sortBy(by)}>
        {title}
        {isOn && <Icon name={now.descending ? "down" : "up"} />}
      </button>
    </span>
  );
}

const orders: [string, Sorting][] = [
  ["Newest first", { by: "added", descending: true }],
  ["Oldest first", { by: "added", descending: false }],
  ["By name", { by: "name", descending: false }],
  ["By state", { by: "state", descending: false }],
];

/** The order, where there is no room for the heads of the columns. */
function OrderChoice() {
  const now = sorting.value;
  const at = orders.findIndex(([, s]) => s.by === now.by && s.descending === now.descending);
  return (
    <label class="order">
      <span class="hidden">Sort by</span>
      <select value={at} onChange={(e) => (sorting.value = orders[Number(e.currentTarget.value)]![1])}>
        {at === -1 && <option value={-1}>{now.by === "name" ? "By name, from the end" : "By state, from the end"}</option>}
        {orders.map(([title], i) => (
          <option key={title} value={i}>
            {title}
          </option>
        ))}
      </select>
    </label>
  );
}

function ListMenu({ said }: { said: (answer: { ok: boolean; text: string }) => void }) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <div class="row">
      <input
        ref={input}
        type="file"
        hidden
        accept=".json,application/json"
        aria-label="A saved list of jobs"
        onChange={(e) => {
          const file = e.currentTarget.files?.[0];
          if (file !== undefined) void openList(file).then(said);
          e.currentTarget.value = "";
        }}
      />
      <button type="button" class="button small" onClick={() => input.current?.click()} title="Add the jobs of a list that was saved">
        <Icon name="up" />
        Open a list
      </button>
      {jobs.value.size > 0 && (
        <button type="button" class="button small" onClick={save} title="Save the list of jobs, with their secrets, as a file">
          <Icon name="down" />
          Save the list
        </button>
      )}
    </div>
  );
}

function JobRow({ job }: { job: KeptJob }) {
  const state = stateOf(job);
  const goes = leaving.value.get(job.id);
  const isLeaving = goes !== undefined;
  const ticking = state === "running" || state === "waiting" ? now.value : 0;
  const detail = isLeaving ? goes || "Being deleted" : waits.value.get(job.id) || detailOf(job, ticking);
  const progress = job.last?.progress;
  const share = state === "running" && progress?.step !== undefined && progress.steps !== undefined && progress.steps > 0 ? progress.step / progress.steps : undefined;
  return (
    <>
      <span role="cell" class="cell-pick">
        <input
          type="checkbox"
          aria-label={`Select ${job.name}`}
          checked={selected.value.has(job.id)}
          disabled={isLeaving}
          onClick={(e) => select(job.id, e.currentTarget.checked, e.shiftKey)}
        />
      </span>
      <span role="cell" class="cell-name">
        <a href={jobLink(job.id)}>{job.name || "Unnamed job"}</a>
        <span class="soft small">{workflowTitle(job.kind)}</span>
      </span>
      <span role="cell" class="cell-state">
        <span class="row">
          <StateMark state={state} />
          {share !== undefined && (
            <span class="soft small">
              {stageOf(job)} {progress?.step} of {progress?.steps}
            </span>
          )}
        </span>
        {share !== undefined && (
          <span class="bar" role="progressbar" aria-label={`Progress of ${job.name}`} aria-valuemin={0} aria-valuemax={progress?.steps} aria-valuenow={progress?.step}>
            <span style={{ transform: `scaleX(${share})` }} />
          </span>
        )}
        {(state === "created" || (state === "gone" && job.gone === "not_found")) && lacking(job).length > 0 && !isLeaving ? (
          <Again job={job} />
        ) : (
          <span class={`detail small ${state === "error" || state === "refused" ? "bad" : "soft"}`} title={detail}>
            {detail}
          </span>
        )}
      </span>
      <span role="cell" class="cell-time number soft">
        {times(job, ticking)}
      </span>
    </>
  );
}

/** How long a job has run, or when it ended. */
function times(job: KeptJob, ticking: number) {
  const last = job.last;
  const state = stateOf(job);
  if (last === undefined) return time(new Date(job.added));
  if (state === "running") return duration(ticking - Date.parse(last.began ?? last.started));
  if (state === "successful" || state === "error") {
    const ended = new Date(last.ended ?? last.updated);
    return (
      <>
        {time(ended)}
        <br />
        <span class="small">took {duration(ended.getTime() - Date.parse(last.began ?? last.started))}</span>
      </>
    );
  }
  return time(new Date(last.started));
}

/** Asks for the files that a reload has lost. */
function Again({ job }: { job: KeptJob }) {
  const input = useRef<HTMLInputElement>(null);
  const problem = useSignal("");
  const task = taskOfJob(job.id); // few jobs have this row
  if (task !== undefined && !isEnded(task.state.value)) {
    const share = task.size === 0 ? 0 : Math.round((100 * task.sent.value) / task.size);
    return <span class="detail small soft">{task.note.value || `${share} % sent`}</span>;
  }
  const failure = problem.value || (task?.state.value === "failed" ? task.note.value : "");
  const names = job.pending?.files.map((f) => f.name).join(", ");
  return (
    <span class="detail small">
      <input
        ref={input}
        type="file"
        multiple
        hidden
        aria-label={`Files of ${job.name}`}
        onChange={(e) => {
          problem.value = again(job, [...(e.currentTarget.files ?? [])]);
          e.currentTarget.value = ""; // so that the same files can be chosen again
        }}
      />
      {job.gone !== undefined && `${detailOf(job, 0)} `}
      <button type="button" class="link" title={names} onClick={() => input.current?.click()}>
        Choose again: {names}
      </button>
      {failure !== "" && <span class="bad"> {failure}</span>}
    </span>
  );
}
