// New jobs: files, options, start.
import { computed, useComputed, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import "./new.css";
import { Question } from "../../parts/dialog";
import { counted } from "../../parts/format";
import { Icon } from "../../parts/icon";
import { VirtualList } from "../../parts/virtual";
import { workflowAbout, workflowTitle } from "../../parts/words";
import { go, jobLink } from "../../router";
import { rules } from "../../inspect/inspector";
import {
  add, clear, closeSheet, genomeWorkflow, isMistaken, keepOnly, leftOut, orderOf, ready, samples, sheet, workflowKinds, type Dropped,
  type Sample,
} from "../../state/draft";
import { offline, workflows } from "../../state/server";
import { begin, cancelAll, isEnded, taskOf } from "../../state/tasks";
import { DropZone } from "./drop";
import { FurtherFiles } from "./further";
import { OptionsForm } from "./options";
import { rowOf } from "./samples";

// Checks of hundreds of files change the samples hundreds of times. What is shown beside their rows is rendered again only if it changes.
const empty = computed(() => samples.value.length === 0 && sheet.value === undefined && leftOut.value.length === 0);

export function NewView() {
  return (
    <div class="new">
      <header class="lead">
        <h1>Annotate bacterial genomes</h1>
        <p class="soft">
          Files are checked in your browser, by the server’s own rules, before anything is sent.
        </p>
      </header>
      {offline.value !== "" && <p class="note warn">{offline.value}</p>}
      <DropZone small={!empty.value} take={take} />
      {!empty.value && (
        <>
          <SheetNote />
          {rules.value === "missing" && (
            <p class="note">This server was built without the rules for browsers, so files are checked when their job starts.</p>
          )}
          {rules.value === "lost" && (
            <p class="note">The rules that check files could not be loaded, so files are checked when their job starts.</p>
          )}
          <Samples />
          <LeftOut />
          <WorkflowChoice />
          <OptionsForm kinds={workflowKinds.value} />
          <FurtherFiles kinds={workflowKinds.value} />
          <StartBar />
        </>
      )}
    </div>
  );
}

const take = (files: Dropped[]) => void add(files);

const keyOf = (sample: Sample) => sample.key;

/** How many of the samples are on their way to the server. */
const onTheirWay = () => samples.peek().filter((s) => !isEnded(taskOf.peek().get(s.key)?.state.peek() ?? "failed")).length;

function removeAll(): void {
  cancelAll(samples.peek().map(keyOf));
  clear();
}

function Samples() {
  const asked = useSignal(0);
  if (samples.value.length === 0) return null;
  return (
    <section aria-labelledby="files-title">
      <div class="row spread list-head">
        <h2 id="files-title">{summary(samples.value)}</h2>
        <button type="button" class="button small quiet" onClick={() => ((asked.value = onTheirWay()) > 0 ? undefined : removeAll())}>
          Remove all
        </button>
      </div>
      <VirtualList items={samples.value} usual={80} keyOf={keyOf} row={rowOf} class="samples sheet" label="Files to annotate" />
      {asked.value > 0 && (
        <Question
          title="Remove all files?"
          act="Remove all"
          onAct={() => {
            asked.value = 0; // this list goes away before the dialog closes
            removeAll();
          }}
          onClose={() => (asked.value = 0)}
        >
          <p>{counted(asked.value, "job")} on the way to the server will be cancelled. Jobs that were started go on.</p>
        </Question>
      )}
    </section>
  );
}

function summary(all: readonly Sample[]): string {
  const of = (kind: string) => all.filter((s) => s.kind === kind).length;
  const parts = [
    [of("genome_fasta"), "genome"],
    [of("protein_fasta"), "protein file"],
    [of("bakta_json"), "annotation"],
    [all.filter((s) => s.dropped === undefined).length, "missing file"],
  ] as const;
  return parts
    .filter(([n]) => n > 0)
    .map(([n, what]) => counted(n, what))
    .join(", ");
}

function SheetNote() {
  const open = sheet.value;
  if (open === undefined) return null;
  return (
    <section class={`note ${open.problem !== "" || open.faults.length > 0 ? "bad" : ""}`} aria-label="Sample sheet">
      <div class="row spread">
        <p>
          <strong>{open.name}</strong>
          {open.problem !== "" ? ` can’t be read as a sample sheet: ${open.problem}.` : ` is the sample sheet, with ${counted(open.rows.length, "sample")}.`}
          {open.ignored.length > 0 && ` These columns mean nothing here: ${open.ignored.join(", ")}.`}
        </p>
        <button type="button" class="button small" onClick={closeSheet}>
          Remove the sheet
        </button>
      </div>
      {open.faults.length > 0 && (
        <ul class="faults">
          {open.faults.slice(0, 50).map((f) => (
            <li key={`${f.row} ${f.column} ${f.text}`}>
              Row {f.row}
              {f.column !== "" && `, column “${f.column}”`}: {f.text}.
            </li>
          ))}
          {open.faults.length > 50 && <li>And {open.faults.length - 50} more.</li>}
        </ul>
      )}
    </section>
  );
}

function LeftOut() {
  const out = leftOut.value;
  if (out.length === 0) return null;
  return (
    <details class="left-out soft">
      <summary>{counted(out.length, "file")} left out</summary>
      <ul>
        {out.slice(0, 200).map(({ path, why }) => (
          <li key={path}>
            <span class="mono">{path}</span>: {why}
          </li>
        ))}
        {out.length > 200 && <li>And {out.length - 200} more.</li>}
      </ul>
    </details>
  );
}

const hasGenome = computed(() => samples.value.some((s) => s.kind === "genome_fasta"));

/** What is done with genomes, if the server offers more than one workflow for them. */
function WorkflowChoice() {
  const offered = (workflows.value ?? []).filter((w) => w.uploads.some((u) => u.required && u.upload_kind === "genome_fasta"));
  if (offered.length < 2 || !hasGenome.value) return null;
  return (
    <fieldset class="sheet choice">
      <legend>Workflow</legend>
      {offered.map((w) => (
        <label key={w.workflow_kind}>
          <input
            type="radio"
            name="workflow"
            checked={genomeWorkflow.value === w.workflow_kind}
            onChange={() => (genomeWorkflow.value = w.workflow_kind)}
          />
          <span>
            <strong>{workflowTitle(w.workflow_kind)}</strong>
            <span class="soft"> {workflowAbout(w.workflow_kind)}</span>
          </span>
        </label>
      ))}
    </fieldset>
  );
}

function StartBar() {
  const begun = taskOf;
  const open = useComputed(() => ready.value.filter((s) => !begun.value.has(s.key))).value;
  const mine = samples.value.map((s) => begun.value.get(s.key)).filter((t) => t !== undefined);
  const started = mine.filter((t) => t.state.value === "started");
  const refused = samples.value.filter((s) => (s.check === "refused" || s.check === "missing") && !begun.value.has(s.key)).length;
  const checking = samples.value.filter((s) => s.check === "waiting" || s.check === "checking").length;
  const failed = mine.filter((t) => t.state.value === "failed").length;
  const underway = mine.some((t) => !isEnded(t.state.value));
  const bad = isMistaken.value;
  const only = mine.length === 1 && samples.value.length === 1 ? mine[0] : undefined;
  const onlyStarted = only?.state.value === "started" ? only.job?.job_id : undefined;
  useEffect(() => {
    if (onlyStarted === undefined) return;
    clear();
    go(jobLink(onlyStarted));
  }, [onlyStarted]);

  const words = [
    refused > 0 ? `${counted(refused, "file")} can’t be started` : "",
    checking > 0 ? `${counted(checking, "file")} to check` : "",
    bad ? "An option is not valid" : "",
    failed > 0 ? `${counted(failed, "job")} could not be started` : "",
    started.length > 0 ? `${counted(started.length, "job")} started` : "",
  ].filter((t) => t !== "");
  const all = started.length > 0 && open.length === 0 && !underway && checking === 0;
  const toTryAgain = () => new Set(mine.filter((t) => t.state.peek() === "failed" || t.state.peek() === "cancelled").map((t) => t.key));
  return (
    <div class="start" role="region" aria-label="Start">
      <p class="soft" role="status">
        {words.join(" · ")}
      </p>
      {all ? (
        <a class="button main" href="#/jobs" onClick={() => keepOnly(toTryAgain())}>
          See the jobs
          <Icon name="right" />
        </a>
      ) : (
        <button type="button" class="button main" disabled={open.length === 0 || bad} onClick={() => begin(open.map(orderOf))}>
          {open.length === 0 && underway ? "On their way …" : `Start ${counted(Math.max(1, open.length), "job")}`}
        </button>
      )}
    </div>
  );
}
