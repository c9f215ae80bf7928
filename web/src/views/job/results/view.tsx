// The results of a job that has some.
import "./results.css";
import { useEffect, useMemo } from "preact/hooks";
import { Browser } from "./browser";
import { Details } from "./details";
import { Files } from "./files";
import { Links } from "./links";
import { Plot } from "./plot";
import type { ResultsProps } from "./results";
import { State } from "./state";
import { Summary } from "./summary";
import { Table } from "./table";

export function ResultsView({ job, result, state: ended, refresh }: ResultsProps) {
  const links = useMemo(() => new Links(result, refresh), [job.job_id]);
  const state = useMemo(() => new State(links), [links]);
  const hasAnnotation = links.get("json") !== undefined;
  useEffect(() => {
    if (hasAnnotation) void state.open();
    return () => state.close();
  }, [state]);

  const hasFiles = Object.keys(result.result.files).length > 0;
  const annotation = state.annotation.value;
  const isGenome = annotation !== undefined && annotation.sequences.length > 0;
  const hasFeatures = annotation !== undefined && annotation.features.count > 0;
  if (!hasFiles) {
    return ended === "error" ? null : <p class="note warn">The server has no files of this job. Were they deleted from its storage?</p>;
  }
  return (
    <div class="results">
      {ended === "error" && (
        <p class="note warn">The job failed, but an earlier stage succeeded. These are the results of that stage.</p>
      )}
      {!hasAnnotation && (
        <p class="note warn">
          The file with the annotation (JSON) is missing. The other files can be downloaded, but the page has nothing to draw.
        </p>
      )}
      {state.problem.value !== "" && (
        <div class="note bad row spread" role="alert">
          <span>{state.problem.value} The files can still be downloaded.</span>
          <button type="button" class="button small" onClick={() => void state.open()}>
            Try again
          </button>
        </div>
      )}
      {hasAnnotation && annotation === undefined && state.problem.value === "" && (
        <div class="sheet placeholder" role="status">
          Reading the annotation …
        </div>
      )}
      {annotation !== undefined && (
        <>
          <Summary state={state} annotation={annotation} kind={result.result.result_kind} />
          {!hasFeatures && <p class="note">The annotation has no features: nothing was found{isGenome ? " in this genome" : ""}.</p>}
          <div class={hasFeatures ? "results-columns" : "results-columns single"}>
            <div class="results-main">
              {isGenome && <Plot state={state} annotation={annotation} />}
              {isGenome && <Browser state={state} annotation={annotation} />}
              {hasFeatures && <Table state={state} annotation={annotation} />}
            </div>
            {hasFeatures && <Details state={state} annotation={annotation} />}
          </div>
        </>
      )}
      <Files job={job} result={result} links={links} />
    </div>
  );
}
