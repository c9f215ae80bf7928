// The forms of the API's second version, as far as the page reads them. A server may be older or newer than the page: fields that
// came later are optional, and values of enumerations that the page does not know are kept as they are.

/** Gives access to one job. The secret goes into bodies, never into a URL that is sent. */
export interface JobRef {
  job_id: string;
  secret: string;
}

export type WorkflowKind = "bakta" | "bakta_proteins" | "bakta_baktfold" | "baktfold" | (string & {});
export type ResultKind = "bakta" | "bakta_proteins" | "baktfold" | (string & {});
export type UploadKind =
  | "genome_fasta"
  | "prodigal_training_file"
  | "replicons_table"
  | "regions_file"
  | "trusted_proteins_file"
  | "hmms_file"
  | "protein_fasta"
  | "bakta_json"
  | (string & {});

/** What a server offers. */
export interface Workflow {
  workflow_kind: WorkflowKind;
  result_kind: ResultKind;
  uploads: { upload_kind: UploadKind; required: boolean }[];
  stages: string[];
}

export type JobStatus = "init" | "running" | "successful" | "error";
export type StageStatus = "pending" | "running" | "succeeded" | "failed" | "error" | "unknown";

/** Why a job failed. */
export interface Failure {
  code?: string;
  message: string;
  stage?: string;
}

/** The state of a job, with what servers add when they are asked for details. Times are RFC 3339. */
export interface Job {
  job_id: string;
  status: JobStatus;
  workflow_kind: WorkflowKind;
  result_kind: ResultKind;
  started: string;
  updated: string;
  name: string;
  /** It was started and waits to run. */
  waiting?: boolean;
  batch?: string;
  created?: string;
  began?: string;
  ended?: string;
  expires?: string;
  /** The stage that runs, or ran last. */
  stage?: string;
  /** `step` of `steps`, counted from 1, and what the program says of it. */
  progress?: { step?: number; steps?: number; text?: string };
  /** Its place among the waiting jobs, counted from 1, and how many wait. */
  queue?: { place?: number; length?: number };
  /** What prevents the start of a job that waits, until the operators change it. */
  hindrance?: string;
  /** When the server expects it to begin and to end, from earlier runs. */
  expected?: { start?: string; end?: string; latest_end?: string; runs?: number };
  failure?: Failure;
}

export interface JobList {
  jobs: Job[];
  failed_jobs: { job_id: string; status: "not_found" | "unauthorized" }[];
}

export interface UploadLink {
  upload_kind: UploadKind;
  required: boolean;
  url: string;
  headers?: Record<string, string>;
}

export interface NewJob {
  job: JobRef;
  workflow_kind: WorkflowKind;
  uploads: UploadLink[];
}

export interface Warning {
  code: string;
  upload_kind: UploadKind;
  message: string;
}

/** Keys of result files, as in the API. */
export type FileKey =
  | "json"
  | "tsv"
  | "faa"
  | "hypotheticals_tsv"
  | "embl"
  | "ffn"
  | "fna"
  | "gbff"
  | "gff3"
  | "hypotheticals_faa"
  | "inference_tsv"
  | "logs_txt"
  | "circular_plot_png"
  | "circular_plot_svg";

/** The results of a job: links by kind of file. A file that does not exist has none. */
export interface JobResult {
  job_id: string;
  workflow_kind: WorkflowKind;
  started: string;
  updated: string;
  name: string;
  result: { result_kind: ResultKind; files: Partial<Record<FileKey, string>> };
  failure?: string;
}

export interface StageLog {
  stage: string;
  status: StageStatus;
  content: string;
}

export interface JobLogs {
  workflow_kind: WorkflowKind;
  stages: StageLog[];
}

export interface Versions {
  backend_version: string;
  bakta_version: string;
  bakta_db_version: string;
  baktfold_version: string;
  baktfold_db_version: string;
}

/** The options of a start, as in the API. */
export type Config = Record<string, string | number | boolean>;

/** An option of a start, as the server describes it. */
export interface Option {
  name: string;
  kind: "text" | "number" | "switch" | "step" | (string & {});
  workflow_kinds: WorkflowKind[];
  help: string;
  rule: string;
  pattern: string;
  choices: string[];
  default_value: string;
  flag: string;
}

/** What an upload must be, as the server describes it. */
export interface UploadRule {
  upload_kind: UploadKind;
  label: string;
  help: string;
  rule: string;
  /** The field of the options that says whether it is used; empty for the upload that a workflow is about. */
  use: string;
  /** Bytes. */
  max_size: number;
}

export interface Options {
  options: Option[];
  uploads: UploadRule[];
}
