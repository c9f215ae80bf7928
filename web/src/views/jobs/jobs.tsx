// All jobs that this browser knows.
import { StateMark, stateOf } from "../../parts/state";
import { jobLink } from "../../router";
import { jobs } from "../../state/jobs";

export function JobsView() {
  const all = [...jobs.value.values()].sort((a, b) => b.added - a.added);
  return (
    <div class="stack">
      <h1>Jobs</h1>
      {all.length === 0 && (
        <p>
          There are no jobs yet. <a href="#/">Annotate a genome</a>.
        </p>
      )}
      <ul>
        {all.map((job) => (
          <li key={job.id}>
            <a href={jobLink(job.id)}>{job.name || job.id}</a> <StateMark state={stateOf(job)} />
          </li>
        ))}
      </ul>
    </div>
  );
}
