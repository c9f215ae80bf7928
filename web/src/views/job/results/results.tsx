// The results of a job: what was found, as numbers, plot, browser and table, and the files.
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

export function Results({ result }: ResultsProps) {
  const files = Object.entries(result.result.files);
  return (
    <section aria-labelledby="files-title">
      <h2 id="files-title">Files</h2>
      <ul>
        {files.map(([key, link]) => (
          <li key={key}>
            <a href={link}>{key}</a>
          </li>
        ))}
      </ul>
    </section>
  );
}
