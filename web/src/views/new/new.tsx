// New jobs: files, options, start.
import { useSignal } from "@preact/signals";
import { init, start } from "../../api/client";
import { jobLink, go } from "../../router";
import { known, put } from "../../state/jobs";
import { wake } from "../../state/watch";

export function NewView() {
  const problem = useSignal("");
  const send = async (file: File) => {
    try {
      const made = await init(file.name, "bakta");
      await put([known(made.job, file.name, made.workflow_kind)]);
      const link = made.uploads.find((u) => u.upload_kind === "genome_fasta");
      const sent = await fetch(link!.url, { method: "PUT", body: file });
      if (!sent.ok) throw new Error(`The upload failed with status ${sent.status}.`);
      await start(made.job, made.workflow_kind, {});
      wake();
      go(jobLink(made.job.job_id));
    } catch (error) {
      problem.value = error instanceof Error ? error.message : String(error);
    }
  };
  return (
    <div class="stack">
      <h1>Annotate a genome</h1>
      <label>
        Genome (FASTA){" "}
        <input type="file" onChange={(e) => e.currentTarget.files?.[0] && void send(e.currentTarget.files[0])} />
      </label>
      {problem.value !== "" && (
        <p class="note bad" role="alert">
          {problem.value}
        </p>
      )}
    </div>
  );
}
