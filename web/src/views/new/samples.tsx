// The list of what will be annotated: what each file is, whether a start would take it, and how far it is on its way.
import type { VNode } from "preact";
import { bases, bytes, count, counted, percent, titled } from "../../parts/format";
import { Icon } from "../../parts/icon";
import { kindTitle } from "../../parts/words";
import { jobLink } from "../../router";
import { isMistaken, orderOf, remove, rename, workflowOf, type Sample } from "../../state/draft";
import { cancel, retry, useTask, type Task } from "../../state/tasks";

const rows = new WeakMap<Sample, VNode>();

/**
 * The row of a sample. A sample is replaced when it changes, never changed: the same sample gets the same row, which Preact passes over. So a
 * change of one of hundreds renders one.
 */
export function rowOf(sample: Sample): VNode {
  const made = rows.get(sample) ?? <SampleRow key={sample.key} sample={sample} />;
  rows.set(sample, made);
  return made;
}

function SampleRow({ sample }: { sample: Sample }) {
  const task = useTask(sample.key);
  const state = task?.state.value;
  const over = state === "failed" || state === "cancelled";
  const open = task === undefined || over;
  const refused = sample.check === "refused" || sample.check === "missing";
  return (
    <div role="listitem" class={`sample ${state ?? sample.check}`} data-key={sample.key}>
      <Mark sample={sample} task={task} />
      <div class="sample-main">
        <label class="hidden" for={`name-${sample.key}`}>
          Name of the job
        </label>
        <input
          id={`name-${sample.key}`}
          class="sample-name"
          value={sample.name}
          maxLength={256}
          disabled={!open}
          onInput={(e) => rename(sample.key, e.currentTarget.value)}
          spellcheck={false}
        />
        <p class="sample-file soft">
          {sample.dropped === undefined ? sample.row?.file : sample.dropped.path}
          {sample.dropped !== undefined && ` · ${bytes(sample.dropped.file.size)}`}
        </p>
        <FromSheet sample={sample} />
        {task !== undefined && <Progress task={task} />}
        {(task === undefined || (over && refused)) && <Verdict sample={sample} />}
      </div>
      <Facts sample={sample} />
      <div class="sample-actions">
        {task !== undefined && over && (
          <button type="button" class="button small" disabled={refused || isMistaken.value} onClick={() => retry(task, orderOf(sample))}>
            <Icon name="again" />
            Try again
          </button>
        )}
        {task?.job !== undefined && state === "started" && (
          <a class="button small" href={jobLink(task.job.job_id)}>
            Open
          </a>
        )}
        {task !== undefined && !open && state !== "started" && (
          <button type="button" class="button small quiet" onClick={() => cancel(task)} aria-label={`Cancel ${sample.name}`}>
            Cancel
          </button>
        )}
        {open && (
          <button type="button" class="button quiet icon" onClick={() => remove([sample.key])} aria-label={`Remove ${sample.name}`} title="Remove">
            <Icon name="cross" />
          </button>
        )}
      </div>
    </div>
  );
}

function Mark({ sample, task }: { sample: Sample; task: Task | undefined }) {
  const state = task?.state.value ?? sample.check;
  switch (state) {
    case "good":
    case "started":
      return mark("good", "check", state === "good" ? "A start would take it" : "Started");
    case "refused":
    case "failed":
    case "missing":
      return mark("bad", "alert", "It can't be started");
    case "checking":
    case "creating":
    case "sending":
    case "starting":
      return mark("busy", "spin", "In progress");
  }
  return mark("", "circle", state === "unchecked" ? "The server checks it at the start" : state === "cancelled" ? "Cancelled" : "Waiting");
}

function mark(look: string, icon: "check" | "alert" | "spin" | "circle", words: string) {
  return (
    <span class={`sample-mark ${look}`} role="img" aria-label={words} title={words}>
      <Icon name={icon} />
    </span>
  );
}

/** The options and further files that the sheet gives this sample. */
function FromSheet({ sample }: { sample: Sample }) {
  const { config = {}, uploads = {} } = sample.row ?? {};
  const given = [
    ...Object.entries(config).map(([name, value]) => (typeof value === "boolean" ? `${titled(name)}: ${value ? "yes" : "no"}` : `${titled(name)}: ${value}`)),
    ...Object.values(uploads),
  ];
  return given.length === 0 ? null : <p class="small soft">From the sheet: {given.join(" · ")}</p>;
}

/** What the check says, in the server's words. */
function Verdict({ sample }: { sample: Sample }) {
  if (sample.problem !== "") return <p class="verdict bad">{sample.problem}</p>;
  const warnings = sample.report?.warnings ?? [];
  if (sample.check !== "good" || warnings.length === 0) return null;
  return (
    <ul class="verdict warn">
      {warnings.map((w) => (
        <li key={w.code + w.message}>{w.message}</li>
      ))}
    </ul>
  );
}

function Progress({ task }: { task: Task }) {
  const state = task.state.value;
  const note = task.note.value;
  const share = task.size === 0 ? 0 : Math.min(1, task.sent.value / task.size);
  if (state === "failed") return <p class="verdict bad">{note}</p>;
  const words: Partial<Record<typeof state, string>> = {
    queued: "Waits for its turn to be sent",
    creating: "Creates the job",
    starting: "The server checks the files",
    started: "Started",
    cancelled: "Cancelled",
  };
  return (
    <div class="progress">
      {state === "sending" && (
        <div
          class="bar"
          role="progressbar"
          aria-label={`Upload of ${task.name}`}
          aria-valuemin={0}
          aria-valuemax={100}
          aria-valuenow={Math.round(share * 100)}
        >
          <span style={{ transform: `scaleX(${share})` }} />
        </div>
      )}
      <p class={note === "" ? "soft small" : "small note-warn"}>
        {note !== "" ? note : (words[state] ?? `${bytes(task.sent.value)} of ${bytes(task.size)} sent`)}
      </p>
    </div>
  );
}

function Facts({ sample }: { sample: Sample }) {
  const r = sample.report;
  const unoffered = sample.dropped !== undefined && sample.check !== "waiting" && workflowOf(sample) === "";
  return (
    <dl class="facts">
      <div>
        <dt class="hidden">Content</dt>
        <dd>{sample.kind === "" || unoffered ? "–" : kindTitle(sample.kind)}</dd>
      </div>
      {r !== undefined && r.count > 0 && (
        <>
          <div>
            <dt class="hidden">Size</dt>
            <dd title={`${count(r.letters)} ${sample.kind === "protein_fasta" ? "amino acids" : "bases"}`}>
              {sample.kind === "protein_fasta" ? counted(r.count, "protein") : `${bases(r.letters)} in ${counted(r.count, "sequence")}`}
            </dd>
          </div>
          {sample.kind === "genome_fasta" && (
            <div>
              <dt class="hidden">Bases</dt>
              <dd class="soft">
                GC {percent(r.gc, r.letters - r.n)}
                {r.n > 0 && ` · N ${percent(r.n, r.letters)}`}
              </dd>
            </div>
          )}
        </>
      )}
    </dl>
  );
}
