// The results of a job: what was found, as numbers, plot, browser and table, and the files. All of it is loaded when first needed.
import { useSignal } from "@preact/signals";
import type { FunctionComponent } from "preact";
import { useEffect } from "preact/hooks";
import type { JobRef, JobResult } from "../../../api/types";

/** What the view of results gets. */
export interface ResultsProps {
  /** The job, whose secret gives access to its results. */
  job: JobRef;
  /** The links of its files, which are valid for six days, and its kind of results. */
  result: JobResult;
  /** How the job ended: a failed job has the files of the stages before the failed one, or none. */
  state: "successful" | "error";
  /** Gets new links, for when the present ones have expired. */
  refresh: () => Promise<JobResult>;
}

/** Begins to load the view, while the links are still asked for. */
export const preload = () => import("./view");

export function Results(props: ResultsProps) {
  const view = useSignal<{ View: FunctionComponent<ResultsProps> } | undefined>(undefined);
  const failed = useSignal(false);
  useEffect(() => {
    preload().then(
      (module) => (view.value = { View: module.ResultsView }),
      () => (failed.value = true),
    );
  }, []);
  if (view.value !== undefined) return <view.value.View {...props} />;
  if (failed.value) return <p class="note bad">A part of the page could not be loaded. The server may have a newer page: reload this one.</p>;
  return <p class="soft">Getting the results …</p>;
}
