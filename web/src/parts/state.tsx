// The state of a job in one word and one icon, the same everywhere.
import type { KeptJob } from "../state/db";
import { Icon, type IconName } from "./icon";

export type State = "created" | "waiting" | "running" | "successful" | "error" | "gone";

/** The state of a job as people speak of it. */
export function stateOf(job: KeptJob): State {
  if (job.gone !== undefined) return "gone";
  switch (job.last?.status) {
    case "successful":
    case "error":
    case "running":
      return job.last.status;
    case "init":
      // Servers that don't say whether it waits are asked about jobs that were started elsewhere.
      return job.last.waiting === false || job.pending !== undefined ? "created" : "waiting";
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
