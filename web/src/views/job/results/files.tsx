// The files of a job, each for itself or all in one archive.
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { Icon } from "../../../parts/icon";
import type { FileKey, JobRef, JobResult } from "../../../api/types";
import type { Progress } from "./archive/archive";
import type { Links } from "./links";

/** The files as the page lists them. The endings are those of the server. */
export const kinds: { key: FileKey; ending: string; text: string; group: string }[] = [
  { key: "json", ending: "json", text: "All that Bakta found", group: "Annotation" },
  { key: "tsv", ending: "tsv", text: "Features as a table", group: "Annotation" },
  { key: "gff3", ending: "gff3", text: "Features and sequences, GFF3", group: "Annotation" },
  { key: "gbff", ending: "gbff", text: "GenBank", group: "Annotation" },
  { key: "embl", ending: "embl", text: "EMBL", group: "Annotation" },
  { key: "inference_tsv", ending: "inference.tsv", text: "What each annotation rests on", group: "Annotation" },
  { key: "fna", ending: "fna", text: "Sequences of the genome", group: "Sequences" },
  { key: "ffn", ending: "ffn", text: "Features’ nucleotides", group: "Sequences" },
  { key: "faa", ending: "faa", text: "Proteins", group: "Sequences" },
  { key: "hypotheticals_tsv", ending: "hypotheticals.tsv", text: "Hypothetical proteins as a table", group: "Sequences" },
  { key: "hypotheticals_faa", ending: "hypotheticals.faa", text: "Hypothetical proteins", group: "Sequences" },
  { key: "circular_plot_svg", ending: "svg", text: "Circular plot, vectors", group: "Plot and summary" },
  { key: "circular_plot_png", ending: "png", text: "Circular plot, picture", group: "Plot and summary" },
  { key: "logs_txt", ending: "txt", text: "Summary", group: "Plot and summary" },
];

/** A link to a file, which is renewed when it has expired. Nothing, if the job has no such file. */
export function FileLink({ links, file, text, children }: { links: Links; file: FileKey; text?: string; children?: ComponentChildren }) {
  const problem = useSignal("");
  const url = links.get(file);
  if (url === undefined) return null;
  const download = async (e: MouseEvent) => {
    if (e.button !== 0 || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey) return;
    e.preventDefault();
    problem.value = "";
    try {
      save(await links.working(file));
    } catch (error) {
      problem.value = error instanceof Error ? error.message : String(error);
    }
  };
  return (
    <>
      <a href={url} rel="noreferrer" onClick={(e) => void download(e)}>
        {text}
        {children}
      </a>
      {problem.value !== "" && (
        <span class="small file-problem" role="alert">
          {problem.value}
        </span>
      )}
    </>
  );
}

/** Follows a link whose answer is a download. */
function save(url: string, name?: string): void {
  const link = document.createElement("a");
  link.href = url;
  link.rel = "noreferrer";
  if (name !== undefined) link.download = name;
  link.click();
}

export function Files({ job, result, links }: { job: JobRef; result: JobResult; links: Links }) {
  const present = kinds.filter((k) => links.get(k.key) !== undefined);
  const missing = result.result.result_kind === "bakta" ? kinds.filter((k) => links.get(k.key) === undefined).map((k) => k.ending) : [];
  const groups = [...new Set(present.map((k) => k.group))];
  const name = result.name || "results";
  return (
    <section class="files" aria-labelledby="files-title">
      <div class="row spread">
        <h2 id="files-title">Files</h2>
        <Archive job={job} name={name} links={links} files={present} />
      </div>
      <div class="file-groups">
        {groups.map((group) => (
          <div key={group} class="sheet file-group">
            <h3>{group}</h3>
            <ul>
              {present
                .filter((k) => k.group === group)
                .map((k) => (
                  <li key={k.key}>
                    <FileLink links={links} file={k.key}>
                      <Icon name="file" />
                      <span class="mono">.{k.ending}</span>
                      <span class="file-text">{k.text}</span>
                    </FileLink>
                  </li>
                ))}
            </ul>
          </div>
        ))}
      </div>
      <p class="soft small">
        Files are named after the job: <span class="mono">{name}.tsv</span>
        {missing.length > 0 && `, and so on. This job did not make ${missing.join(", ")}.`}
      </p>
    </section>
  );
}

function Archive({ job, name, links, files }: { job: JobRef; name: string; links: Links; files: typeof kinds }) {
  const progress = useSignal<Progress | undefined>(undefined);
  const p = progress.value;
  const isBusy = p !== undefined && p.step === "running";
  const start = async () => {
    progress.value = { step: "running", done: 0, of: files.length };
    try {
      const { archive } = await import("./archive/archive");
      await archive(`${name}_${job.job_id}`, files.map((f) => ({ key: f.key, name: `${name}.${f.ending}` })), links, (now) => (progress.value = now), save);
    } catch (error) {
      progress.value = { step: "failed", reason: error instanceof Error ? error.message : String(error) };
    }
  };
  return (
    <div class="row">
      <span class="small soft" role="status">
        {p?.step === "running" && `${p.done} of ${p.of} files`}
        {p?.step === "done" && (p.missing.length === 0 ? "The archive is complete." : `The archive lacks ${p.missing.join(", ")}: the storage does not give them.`)}
        {p?.step === "failed" && <span class="file-problem">The archive is not complete: {p.reason}</span>}
      </span>
      <button type="button" class="button main" disabled={isBusy || files.length === 0} onClick={() => void start()}>
        <Icon name="down" />
        {isBusy ? "Making the archive …" : "All as one archive"}
      </button>
    </div>
  );
}
