// The names for people of what the API has words for. What is not here, a newer server's, is named after its word.
import type { UploadKind, WorkflowKind } from "../api/types";
import { titled } from "./format";

const workflows: Record<string, { title: string; about: string }> = {
  bakta: { title: "Bakta", about: "annotates genomes" },
  bakta_baktfold: { title: "Bakta and Baktfold", about: "annotates genomes, and hypothetical proteins by their structure" },
  bakta_proteins: { title: "Bakta proteins", about: "annotates proteins without a genome" },
  baktfold: { title: "Baktfold", about: "annotates hypothetical proteins of a Bakta annotation by their structure" },
};

export const workflowTitle = (kind: WorkflowKind) => workflows[kind]?.title ?? titled(kind);
export const workflowAbout = (kind: WorkflowKind) => workflows[kind]?.about ?? "";

const kinds: Record<string, string> = { genome_fasta: "Genome", protein_fasta: "Proteins", bakta_json: "Bakta annotation" };

export const kindTitle = (kind: UploadKind) => kinds[kind] ?? titled(kind);

const stages: Record<string, string> = { bakta: "Bakta", bakta_proteins: "Bakta proteins", baktfold: "Baktfold" };

export const stageTitle = (stage: string) => stages[stage] ?? titled(stage);
