// What the user is about to start: files with what they are, options, a sheet. It lives as long as the page is open, except the options,
// which are remembered.
import { computed, effect, signal } from "@preact/signals";
import type { Config, UploadKind, WorkflowKind } from "../api/types";
import { limit } from "../parts/format";
import { checkOptions, inspect, kindsOf, Missing, readSheet, type Report, type Sheet, type SheetRow, type Violation } from "../inspect/inspector";
import { keep, setting } from "./db";
import { baseName, jobName } from "./names";
import { catalogue, workflows } from "./server";
import type { Order } from "./tasks";

/** A file as it was dropped. The path has the folders that were dropped with it. */
export interface Dropped {
  file: File;
  path: string;
}

export type Check = "waiting" | "checking" | "good" | "refused" | "unchecked" | "missing";

/** One thing to annotate. */
export interface Sample {
  key: number;
  /** Undefined for a row of the sheet whose file is not here. */
  dropped: Dropped | undefined;
  name: string;
  /** What the file is by its content. */
  kind: UploadKind;
  check: Check;
  report: Report | undefined;
  /** Why it can't be started, in words for people. */
  problem: string;
  /** What the sheet says of it. */
  row: SheetRow | undefined;
  /** What the verdict of the check depends on besides the file. */
  checked: string;
}

export const samples = signal<readonly Sample[]>([]);

/** Dropped files that are nothing to annotate, and why. */
export const leftOut = signal<readonly { path: string; why: string }[]>([]);

/** Files that all genomes share, by kind. */
export const extras = signal<ReadonlyMap<UploadKind, File>>(new Map());

/** The options that all samples share. What is not set is not in it. */
export const config = signal<Config>({});

/** What is done with genomes. */
export const genomeWorkflow = signal<WorkflowKind>("bakta");

export interface OpenSheet extends Sheet {
  name: string;
}
export const sheet = signal<OpenSheet | undefined>(undefined);

/** Rules that the options of the form break. An option that no workflow of the samples takes is not in the form, and is not sent. */
export const violations = signal<readonly Violation[]>([]);

/** Whether there are any: all rows of files depend on it, and not on each change of the violations. */
export const isMistaken = computed(() => violations.value.length > 0);

/** All dropped files by path: a sheet may name any of them. */
const pool = new Map<string, Dropped>();
let lastKey = 0;

/** The kinds that a workflow can be about. */
const subjects: readonly UploadKind[] = ["genome_fasta", "protein_fasta", "bakta_json"];

/** Values that broke a rule, by option: the next visit would begin with a mistake. */
const broken = new Map<string, string | number | boolean>();

// What belongs to one genome alone would be wrong for the next.
const forgotten = ["strain", "plasmid", "locus", "locus_tag"];

export async function remember(): Promise<void> {
  const kept = await setting<{ config: Config; workflow: WorkflowKind }>("options");
  if (kept !== undefined) {
    config.value = kept.config;
    genomeWorkflow.value = kept.workflow;
  }
  effect(() => {
    void violations.value; // they come after the option
    const lasts = ([name, value]: [string, string | number | boolean]) => !forgotten.includes(name) && broken.get(name) !== value;
    const kept = Object.fromEntries(Object.entries(config.value).filter(lasts));
    void keep("options", { config: kept, workflow: genomeWorkflow.value });
  });
}

/** The workflow of a sample; empty if the server offers none for it. */
export function workflowOf(sample: Sample): WorkflowKind {
  const offered = workflows.value ?? [];
  const fits = (kind: WorkflowKind) => offered.some((w) => w.workflow_kind === kind && w.uploads.some((u) => u.required && u.upload_kind === sample.kind));
  const wanted = sample.row?.workflow ?? "";
  if (wanted !== "") return fits(wanted) ? wanted : "";
  if (sample.kind === "genome_fasta" && fits(genomeWorkflow.value)) return genomeWorkflow.value;
  return offered.find((w) => w.uploads.some((u) => u.required && u.upload_kind === sample.kind))?.workflow_kind ?? "";
}

// Checks of hundreds of files change the samples hundreds of times: what depends on their workflows changes only with these.
const kindNames = computed(() => [...new Set(samples.value.map(workflowOf).filter((kind) => kind !== ""))].join(" "));

/** The workflows of all samples. */
export const workflowKinds = computed<WorkflowKind[]>(() => kindNames.value.split(" ").filter((kind) => kind !== ""));

/** The options that all samples share and some of them take. */
const taken = computed<Config>(() => {
  const isTaken = (name: string) =>
    catalogue.value?.options.some((o) => o.name === name && o.workflow_kinds.some((kind) => workflowKinds.value.includes(kind))) === true;
  return Object.fromEntries(Object.entries(config.value).filter(([name]) => isTaken(name)));
});

/** What is sent of a sample, as the form is now. */
export function orderOf(sample: Sample): Order {
  const files = [...extrasOf(sample), { kind: sample.kind, file: sample.dropped!.file }];
  return { key: sample.key, name: sample.name.trim() || "unnamed", kind: workflowOf(sample), config: configOf(sample), files };
}

/** The options of a sample: those of all, those of its row, and which further files it has. */
export function configOf(sample: Sample): Config {
  const kind = workflowOf(sample);
  const known = catalogue.value?.options.filter((o) => o.workflow_kinds.includes(kind)).map((o) => o.name) ?? [];
  const merged = Object.fromEntries(Object.entries({ ...config.value, ...sample.row?.config }).filter(([name]) => known.includes(name)));
  for (const { kind } of extrasOf(sample)) {
    const use = catalogue.value?.uploads.find((u) => u.upload_kind === kind)?.use ?? "";
    if (use !== "") merged[use] = true;
  }
  return merged;
}

/** The further files of a sample: those of its row in place of those that all share. */
export function extrasOf(sample: Sample): { kind: UploadKind; file: File }[] {
  const taken = workflows.value?.find((w) => w.workflow_kind === workflowOf(sample))?.uploads.map((u) => u.upload_kind) ?? [];
  const files = new Map(extras.value);
  for (const [kind, path] of Object.entries(sample.row?.uploads ?? {})) {
    const found = find(path);
    if (typeof found !== "string") files.set(kind, found.file);
  }
  return [...files].filter(([kind]) => taken.includes(kind) && !subjects.includes(kind)).map(([kind, file]) => ({ kind, file }));
}

/** The dropped file that a path of a sheet means, or why it is not clear. */
function find(path: string): Dropped | string {
  const plain = path.replace(/^(\.\/)+/, "");
  const exact = pool.get(plain);
  if (exact !== undefined) return exact;
  for (const fits of [(p: string) => p.endsWith(`/${plain}`), (p: string) => baseName(p) === baseName(plain)]) {
    const found = [...pool.values()].filter((d) => fits(d.path));
    if (found.length === 1) return found[0]!;
    if (found.length > 1) return `There are ${found.length} files called ${baseName(plain)}. Drop the folder that the sheet is in.`;
  }
  return `${plain} is not among the files that were dropped. Drop it, too.`;
}

function fresh(dropped: Dropped | undefined, kind: UploadKind, row?: SheetRow): Sample {
  const name = row?.name || jobName(dropped?.path ?? row?.file ?? "");
  return { key: ++lastKey, dropped, name, kind, check: dropped === undefined ? "missing" : "waiting", report: undefined, problem: "", row, checked: "" };
}

/** Takes dropped files: each is told apart by its content. */
export async function add(files: Dropped[]): Promise<void> {
  const now = files.filter(({ file, path }) => {
    const before = pool.get(path);
    pool.set(path, { file, path });
    return before === undefined || before.file.size !== file.size || before.file.lastModified !== file.lastModified;
  });
  const folder = now.some(({ path }) => path.includes("/"));
  const kinds = await kindsOfAll(now);
  const added: Sample[] = [];
  const out: { path: string; why: string }[] = [];
  const further = new Map(extras.value);
  const subjectsNow = kinds.filter((kind) => subjects.includes(kind)).length + samples.value.length;
  for (const [i, dropped] of now.entries()) {
    const kind = kinds[i] ?? "";
    if (subjects.includes(kind)) {
      added.push(fresh(dropped, kind));
    } else if (kind === "" && /\.(csv|tsv|txt|tab|xlsx|ods)$/i.test(dropped.path) && (await takeSheet(dropped, now.length === 1))) {
      continue;
    } else if (kind !== "" && !folder && subjectsNow <= 1 && !further.has(kind)) {
      further.set(kind, dropped.file);
    } else {
      const label = catalogue.value?.uploads.find((u) => u.upload_kind === kind)?.label ?? "";
      const why = label === "" ? "neither sequences nor an annotation of Bakta" : `seems to be a ${label}: add it below the options, or name it in a sheet`;
      out.push({ path: dropped.path, why });
    }
  }
  extras.value = further;
  leftOut.value = [...leftOut.value.filter((o) => !files.some((f) => f.path === o.path)), ...out];
  // A file that was dropped again in another version replaces the former.
  const replaced = new Set(added.map((s) => s.dropped?.path));
  samples.value = [...samples.value.filter((s) => s.dropped === undefined || !replaced.has(s.dropped.path)), ...added];
  match();
  void work();
}

async function kindsOfAll(files: Dropped[]): Promise<UploadKind[]> {
  const kinds: UploadKind[] = [];
  for (let i = 0; i < files.length; i += 16) {
    const some = files.slice(i, i + 16);
    try {
      kinds.push(...(await kindsOf(some.map((d) => d.file))).map((k) => k.kind));
    } catch {
      kinds.push(...some.map((d) => byName(d.path))); // the rules are not there: the start will tell
    }
  }
  return kinds;
}

function byName(path: string): UploadKind {
  const plain = path.toLowerCase().replace(/\.(gz|bz2|xz|zst)$/, "");
  if (/\.(fna|fa|fasta|fas|fsa)$/.test(plain)) return "genome_fasta";
  if (/\.(faa|pep)$/.test(plain)) return "protein_fasta";
  return plain.endsWith(".json") ? "bakta_json" : "";
}

/** Takes a file as the sheet if it is one. A file that was dropped alone is meant as one, so its mistakes are shown. */
async function takeSheet(dropped: Dropped, alone: boolean): Promise<boolean> {
  try {
    const read = await readSheet(dropped.file);
    const strange = read.problem !== "" || read.rows.length === 0;
    if (strange && !alone && !read.faults.some((f) => f.column !== "")) return false;
    sheet.value = { ...read, name: baseName(dropped.path) };
    return true;
  } catch {
    return false;
  }
}

/** Brings samples and rows of the sheet together. */
function match(): void {
  const open = sheet.value;
  if (open === undefined) return;
  const left = samples.value.filter((s) => s.dropped !== undefined);
  const used = new Set<number>();
  const rows = open.rows.map((row) => {
    const found = find(row.file);
    const missing = Object.values(row.uploads).map(find).find((f) => typeof f === "string");
    const sample = typeof found === "string" ? undefined : left.find((s) => s.dropped?.path === found.path && !used.has(s.key));
    if (sample === undefined) {
      const again = typeof found === "string" ? undefined : left.find((s) => s.dropped?.path === found.path);
      if (again !== undefined) return fresh(again.dropped, again.kind, row); // several rows annotate one file
      const why = typeof found === "string" ? found : "The file is neither sequences nor an annotation of Bakta.";
      return { ...fresh(undefined, "", row), problem: why };
    }
    used.add(sample.key);
    const named = { ...sample, row, name: sample.row?.row === row.row ? sample.name : row.name || sample.name };
    if (missing !== undefined) return { ...named, check: "missing" as const, problem: missing as string };
    return named.check === "missing" ? { ...named, check: "waiting" as const, problem: "", checked: "" } : named;
  });
  samples.value = [...rows, ...left.filter((s) => !used.has(s.key) && s.row === undefined)];
  const named = new Set(open.rows.flatMap((row) => Object.values(row.uploads).map(find)).filter((f) => typeof f !== "string").map((f) => f.path));
  leftOut.value = leftOut.value.filter(({ path }) => !named.has(path));
}

export function closeSheet(): void {
  sheet.value = undefined;
  samples.value = samples.value.filter((s) => s.dropped !== undefined).map((s) => ({ ...s, row: undefined, checked: "", check: "waiting" as const }));
  void work();
}

export function rename(key: number, name: string): void {
  update(key, { name });
}

export function remove(keys: number[]): void {
  for (const s of samples.value) if (keys.includes(s.key) && s.dropped !== undefined) pool.delete(s.dropped.path);
  samples.value = samples.value.filter((s) => !keys.includes(s.key));
}

/** Removes all but some samples, if there are any. These keep what the sheet said of them, the options and the further files. */
export function keepOnly(keys: ReadonlySet<number>): void {
  if (!samples.value.some((s) => keys.has(s.key))) {
    clear();
    return;
  }
  remove(samples.value.filter((s) => !keys.has(s.key)).map((s) => s.key));
  leftOut.value = [];
  sheet.value = undefined; // its other rows would miss their files
}

export function clear(): void {
  pool.clear();
  repliconRows.value = new Map();
  samples.value = [];
  leftOut.value = [];
  sheet.value = undefined;
  extras.value = new Map();
}

/** Takes a further file, or removes it. A replicon table that was written in the page ends with that. */
export function setExtra(kind: UploadKind, file: File | undefined): void {
  if (kind === "replicons_table") repliconRows.value = new Map();
  replace(kind, file);
}

function replace(kind: UploadKind, file: File | undefined): void {
  const next = new Map(extras.value);
  if (file === undefined) next.delete(kind);
  else next.set(kind, file);
  extras.value = next;
}

/** A row of the replicon table that is written in the page. */
export interface RepliconRow {
  newID: string;
  type: string;
  topology: string;
  name: string;
}

export const blankRow: RepliconRow = { newID: "", type: "", topology: "", name: "" };

/** The rows of the replicon table that is written in the page, by the place of their sequence, for the sample with this key. */
export const repliconRows = signal<ReadonlyMap<number, ReadonlyMap<number, RepliconRow>>>(new Map());
let tables = 0;

/** Changes a row of the replicon table of a sample, which becomes a file like one that was chosen. */
export function editReplicon(key: number, ids: readonly string[], at: number, to: Partial<RepliconRow>): void {
  const rows = new Map(repliconRows.value.get(key));
  rows.set(at, { ...(rows.get(at) ?? blankRow), ...to });
  repliconRows.value = new Map([[key, rows]]);
  const lines = [...rows]
    .filter(([, row]) => row.newID + row.type + row.topology + row.name !== "")
    .sort(([a], [b]) => a - b)
    .map(([i, row]) => [ids[i] ?? "", row.newID || "-", row.type || "contig", row.topology || "linear", row.name || "-"].join("\t") + "\n");
  // Name and size may be those of the table before: the time says to the checks that it is another one.
  replace("replicons_table", lines.length === 0 ? undefined : new File(lines, "replicons.tsv", { lastModified: ++tables }));
}

export function setOption(name: string, value: string | number | boolean | undefined): void {
  const next = { ...config.value };
  if (value === undefined || value === "" || value === false) delete next[name];
  else next[name] = value;
  config.value = next;
}

let placed: { of: readonly Sample[]; at: ReadonlyMap<number, number> } = { of: [], at: new Map() };

/** Where a sample is among all, or -1. */
function place(key: number): number {
  const all = samples.peek();
  if (placed.of !== all) placed = { of: all, at: new Map(all.map((s, i) => [s.key, i])) };
  return placed.at.get(key) ?? -1;
}

function update(key: number, to: Partial<Sample>): void {
  const at = place(key);
  if (at === -1) return;
  const next = [...samples.value];
  next[at] = { ...next[at]!, ...to };
  samples.value = next;
  placed.of = next; // at the same places
}

/** What a check depends on besides the file. */
function circumstances(sample: Sample): string {
  const files = extrasOf(sample).map(({ kind, file }) => [kind, file.name, file.size, file.lastModified]);
  const { genus: _g, species: _s, strain: _t, locus_tag: _l, locus_tag_increment: _i, derm_type: _d, ...counts } = configOf(sample);
  return JSON.stringify([workflowOf(sample), counts, files]);
}

let working = false;
let isStale = false;

/** Checks what is to be checked, one sample after the other. What changes meanwhile is checked in the next round. */
async function work(): Promise<void> {
  isStale = true;
  if (working || catalogue.value === undefined) return;
  working = true;
  try {
    while (isStale) {
      isStale = false;
      for (const { key } of samples.value) {
        const sample = samples.value[place(key)];
        if (sample?.dropped !== undefined && sample.check !== "missing" && sample.checked !== circumstances(sample)) await check(sample, sample.dropped);
      }
    }
  } finally {
    working = false;
  }
}

async function check(sample: Sample, dropped: Dropped): Promise<void> {
  const checked = circumstances(sample);
  const workflow = workflowOf(sample);
  update(sample.key, { check: "checking", checked });
  const label = catalogue.value?.uploads.find((u) => u.upload_kind === sample.kind);
  if (workflow === "") {
    const wanted = sample.row?.workflow ?? "";
    const problem = wanted === "" ? "This server offers no workflow for such a file." : `The sheet wants the workflow ${wanted}, which this server does not offer for such a file.`;
    update(sample.key, { check: "refused", problem });
    return;
  }
  if (label !== undefined && dropped.file.size > label.max_size) {
    update(sample.key, { check: "refused", problem: `The file is larger than this server takes (${limit(label.max_size)}).` });
    return;
  }
  const further = extrasOf(sample);
  try {
    const kinds = [...further.map((f) => f.kind), sample.kind];
    const files = [...further.map((f) => f.file), dropped.file];
    const report = await inspect(kinds, files, configOf(sample), workflow.endsWith("baktfold"));
    update(sample.key, { report, problem: report.problem, check: report.problem === "" ? "good" : "refused" });
  } catch (error) {
    if (error instanceof Missing) update(sample.key, { check: "unchecked" });
    else update(sample.key, { check: "unchecked", problem: "" });
  }
}

/** The samples that can be started. */
export const ready = computed(() => samples.value.filter((s) => s.check === "good" || s.check === "unchecked"));

let timer = 0;
effect(() => {
  // Each of these may change verdicts: checks begin when the user pauses.
  void [config.value, extras.value, genomeWorkflow.value, catalogue.value, workflows.value];
  clearTimeout(timer);
  timer = window.setTimeout(() => void work(), 500);
});

let asked = 0;
effect(() => {
  const now = taken.value;
  const mine = ++asked;
  // Options of the last visit alone are no reason to load the rules.
  if (Object.keys(now).length === 0) {
    violations.value = [];
    return;
  }
  checkOptions(now).then(
    (found) => {
      if (mine !== asked) return;
      for (const { field } of found) if (now[field] !== undefined) broken.set(field, now[field]);
      violations.value = found;
    },
    () => {
      if (mine === asked) violations.value = [];
    },
  );
});
