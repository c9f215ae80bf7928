// The state of a job in one word and one icon, the same everywhere.
import type { KeptJob } from "../state/db";
import { count, roughly, time } from "./format";
import { Icon, type IconName } from "./icon";
import { stageTitle, workflowTitle } from "./words";

export type State = "created" | "waiting" | "running" | "successful" | "error" | "refused" | "gone";

/** The state of a job as people speak of it. */
export function stateOf(job: KeptJob): State {
  if ((job.pending?.refused ?? "") !== "") return "refused";
  if (job.gone !== undefined) return "gone";
  switch (job.last?.status) {
    case "successful":
    case "error":
    case "running":
      return job.last.status;
    case "init":
      return job.last.waiting === false ? "created" : "waiting";
    case undefined:
      return job.pending === undefined ? "waiting" : "created";
  }
}

export const stateWords: Record<State, { text: string; icon: IconName }> = {
  created: { text: "Not started", icon: "circle" },
  waiting: { text: "Waiting", icon: "clock" },
  running: { text: "Running", icon: "spin" },
  successful: { text: "Finished", icon: "check" },
  error: { text: "Failed", icon: "alert" },
  refused: { text: "Refused", icon: "alert" },
  gone: { text: "Not on the server", icon: "cross" },
};

export function StateMark({ state }: { state: State }) {
  const words = stateWords[state];
  return (
    <span class={`state ${state}`}>
      <Icon name={words.icon} />
      {words.text}
    </span>
  );
}

/** The stage that runs, if the workflow may have others. */
export function stageOf(job: KeptJob): string {
  const stage = stageTitle(job.last?.stage ?? "");
  return stage === workflowTitle(job.kind) ? "" : stage;
}

/** What there is to say of a job beside its state: step and remaining time, place in the queue, the reason of its failure. */
export function detailOf(job: KeptJob, now: number): string {
  const last = job.last;
  switch (stateOf(job)) {
    case "refused":
      return job.pending?.refused ?? "";
    case "gone":
      return job.gone === "unauthorized" ? "The secret is not this job’s." : "It was deleted, or has expired.";
    case "error":
      return last?.failure?.message ?? "Open the job for the reason.";
    case "created":
      return job.pending?.files.some((f) => !f.sent) === true ? "Its files are not all on the server." : "";
    case "waiting": {
      if (last?.hindrance !== undefined) return last.hindrance;
      const place = last?.queue?.place;
      const parts = [place === undefined ? "" : `${count(place)} of ${count(last?.queue?.length ?? place)} in the queue`];
      const start = last?.expected?.start;
      if (start !== undefined) parts.push(Date.parse(start) <= now ? "starts soon" : `starts about ${time(new Date(start))}`);
      return parts.filter((t) => t !== "").join(" · ");
    }
    case "running": {
      const end = last?.expected?.end;
      const parts = [last?.progress?.text ?? "", end === undefined ? "" : Date.parse(end) <= now ? "ends soon" : `about ${roughly(Date.parse(end) - now)} left`];
      return parts.filter((t) => t !== "").join(" · ");
    }
    case "successful":
      return "";
  }
}
