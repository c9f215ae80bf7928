// The further files of genomes: replicon table, training file, regions, trusted proteins, profile HMMs.
import { computed, useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import type { UploadKind, UploadRule, WorkflowKind } from "../../api/types";
import { bytes, limit } from "../../parts/format";
import { Icon } from "../../parts/icon";
import { extras, samples, setExtra } from "../../state/draft";
import { catalogue, workflows } from "../../state/server";
import { RepliconTable } from "./replicons";

const sentence = (text: string) => `${text.charAt(0).toUpperCase()}${text.slice(1)}`;

const genomeCount = computed(() => samples.value.filter((s) => s.kind === "genome_fasta").length);
/** The genome, if there is one alone. */
const onlyGenome = computed(() => (genomeCount.value === 1 ? samples.value.find((s) => s.kind === "genome_fasta") : undefined));

/** The file for each optional upload of those workflows. */
export function FurtherFiles({ kinds }: { kinds: WorkflowKind[] }) {
  const taken = new Set(
    (workflows.value ?? []).filter((w) => kinds.includes(w.workflow_kind)).flatMap((w) => w.uploads.filter((u) => !u.required).map((u) => u.upload_kind)),
  );
  const rules = (catalogue.value?.uploads ?? []).filter((u) => taken.has(u.upload_kind));
  const genomes = genomeCount.value;
  const only = onlyGenome.value;
  if (rules.length === 0) return null;
  return (
    <section class="sheet options" aria-labelledby="further-title">
      <header>
        <h2 id="further-title">Further files</h2>
        {genomes > 1 && <p class="soft small">Each of the {genomes} genomes gets these. A sample sheet names others for single genomes.</p>}
      </header>
      <ul class="further">
        {rules.map((rule) => (
          <Further key={rule.upload_kind} rule={rule} />
        ))}
      </ul>
      {taken.has("replicons_table") && only?.report !== undefined && (
        <RepliconTable key={only.key} of={only.key} sequences={only.report.sequences} count={only.report.count} />
      )}
    </section>
  );
}

function Further({ rule }: { rule: UploadRule }) {
  const input = useRef<HTMLInputElement>(null);
  const large = useSignal(false);
  const file = extras.value.get(rule.upload_kind);
  const choose = (chosen: File | undefined) => {
    large.value = chosen !== undefined && chosen.size > rule.max_size;
    if (chosen !== undefined && !large.value) setExtra(rule.upload_kind, chosen);
  };
  const kind: UploadKind = rule.upload_kind;
  return (
    <li>
      <div>
        <span class="further-name">{sentence(rule.label)}</span>
        {file === undefined ? (
          <span class="help">{sentence(rule.rule)}.</span>
        ) : (
          <span class="further-file">
            <Icon name="file" />
            {file.name} <span class="soft">{bytes(file.size)}</span>
          </span>
        )}
        {large.value && <span class="help bad">The file is larger than this server takes ({limit(rule.max_size)}).</span>}
      </div>
      <input ref={input} type="file" hidden aria-label={rule.label} onChange={(e) => choose(e.currentTarget.files?.[0])} />
      {file === undefined ? (
        <button type="button" class="button small" onClick={() => input.current?.click()}>
          Choose<span class="hidden"> a {rule.label}</span>
        </button>
      ) : (
        <button type="button" class="button small quiet" onClick={() => setExtra(kind, undefined)}>
          Remove<span class="hidden"> the {rule.label}</span>
        </button>
      )}
    </li>
  );
}
