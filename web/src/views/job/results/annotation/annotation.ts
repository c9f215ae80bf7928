// The annotation of a job, as the page holds it: columns for the table, the plot and the summary. All else (sequences, evidence) stays
// in a worker, which reads the file, filters and sorts, so that a file of any size never blocks the page.

/** What the features of a file have in common, one array for each column. The index of a feature is its place in the file. */
export interface Columns {
  count: number;
  /** The kinds that occur, in Bakta's words. */
  kinds: string[];
  /** Index into `kinds`. */
  kind: Uint8Array;
  /** Index into the sequences; -1 for a protein, or a sequence that is not in the file. */
  sequence: Int32Array;
  /** First and last base, from 1; 0 if there is none. A feature over the origin starts behind its end. */
  start: Int32Array;
  stop: Int32Array;
  /** 1, -1, or 0 for neither. */
  strand: Int8Array;
  /** Sum of `flag`s. */
  flags: Uint8Array;
  /** Bases; of a protein its amino acids. */
  length: Int32Array;
  /** Locus tag, or the id of a feature that has none. */
  locus: string[];
  gene: string[];
  product: string[];
}

export const flag = { hypothetical: 1, pseudogene: 2, truncated: 4 } as const;

export interface Sequence {
  id: string;
  name: string;
  length: number;
  type: string;
  circular: boolean;
  complete: boolean;
}

/** GC content and skew along all sequences in their order, one behind the other. */
export interface Composition {
  /** The first base of each window, from 1, counted over all sequences. */
  starts: Int32Array;
  /** Share of G and C, 0 to 1. */
  content: Float32Array;
  /** (G - C) / (G + C), -1 to 1. */
  skew: Float32Array;
}

export interface Annotation {
  organism: string;
  /** The numbers of Bakta, as far as the file has them. Shares go from 0 to 1. */
  stats: { size?: number; gc?: number; n50?: number; n90?: number; nRatio?: number; coding?: number };
  sequences: Sequence[];
  features: Columns;
  /** How many features there are of each kind; of CDSs also how many are "hypothetical" and "pseudogene". */
  counts: [kind: string, n: number][];
  composition: Composition;
  translationTable: number | undefined;
  gram: string;
  versions: { program: string; version: string }[];
  run: { start: string; end: string };
  /** What the file lacks, in words for people. */
  problems: string[];
}

/** All that is known of one feature. */
export interface Detail {
  index: number;
  kind: string;
  locus: string;
  id: string;
  gene: string;
  /** Other symbols of the gene. */
  genes: string[];
  product: string;
  references: string[];
  evidence: { name: string; value: string }[];
  /** On its own strand; empty if unknown. */
  nt: string;
  aa: string;
}

export type SortKey = "position" | "locus" | "kind" | "gene" | "product" | "length";

/** Which features the table shows, and in which order. */
export interface Selection {
  /** Words that all have to occur in a feature's names, product or cross-references. */
  text: string;
  /** A kind, "hypothetical" or "pseudogene"; empty for all. */
  kind: string;
  /** Index of a sequence; -1 for all. */
  sequence: number;
  sort: SortKey;
  descending: boolean;
}

/** The file could not be had: its link has expired, or the storage does not answer. */
export class Unavailable extends Error {
  override name = "Unavailable";
}

/** What the worker is asked, and what it answers. */
export interface Calls {
  open: { ask: string; answer: Annotation };
  select: { ask: Selection; answer: Int32Array };
  detail: { ask: number; answer: Detail };
}
export type Question = { [K in keyof Calls]: { id: number; call: K; ask: Calls[K]["ask"] } }[keyof Calls];
export type Answer = { id: number; answer: unknown } | { id: number; error: string; unavailable: boolean };

/** The worker with one annotation. */
export class Reader {
  readonly #worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "annotation" });
  readonly #waiting = new Map<number, { resolve: (answer: never) => void; reject: (error: Error) => void }>();
  #next = 0;

  constructor() {
    this.#worker.onmessage = ({ data }: MessageEvent<Answer>) => {
      const waiting = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      if ("error" in data) waiting?.reject(new (data.unavailable ? Unavailable : Error)(data.error));
      else waiting?.resolve(data.answer as never);
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      for (const { reject } of this.#waiting.values()) reject(new Error("The annotation could not be read: the browser stopped reading it."));
      this.#waiting.clear();
    };
  }

  ask<K extends keyof Calls>(call: K, ask: Calls[K]["ask"]): Promise<Calls[K]["answer"]> {
    return new Promise((resolve, reject) => {
      const id = this.#next++;
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, call, ask });
    });
  }

  close(): void {
    this.#worker.terminate();
  }
}
