// Turns Bakta's JSON file into what the page shows. The file may come from any version of Bakta or Baktfold, or from a job that someone
// started with a file of their own: nothing in it is taken for granted.
import { counted } from "../../../../parts/format";
import { flag, type Annotation, type Columns, type Composition, type Detail, type Sequence } from "./annotation";

type Fields = Record<string, unknown>;

const fields = (value: unknown): Fields => (typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {});
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const text = (value: unknown): string => (typeof value === "string" ? value : typeof value === "number" ? String(value) : "");
const texts = (value: unknown): string[] => list(value).map(text).filter((t) => t !== "");
const number = (value: unknown): number | undefined => (typeof value === "number" && Number.isFinite(value) ? value : undefined);
const position = (value: unknown): number => {
  const n = number(value) ?? 0;
  return Number.isInteger(n) && n > 0 && n < 2 ** 31 ? n : 0;
};

/** The nucleotides of a sequence; before Bakta 1.10 under another key. */
const bases = (sequence: Fields): string => text(sequence["nt"]) || text(sequence["sequence"]);

/** An annotation that was read, with the parts that stay in the worker. */
export class Document {
  readonly annotation: Annotation;
  /** For the search: all words of a feature, in lower case. */
  readonly words: string[];
  readonly #features: Fields[];
  readonly #bases: string[];

  constructor(document: unknown) {
    const top = fields(document);
    if (Object.keys(top).length === 0) throw new Error("The file with the annotation (JSON) has another form than that of Bakta.");
    const problems: string[] = [];
    const raw = list(top["sequences"]).map(fields);
    this.#features = list(top["features"]).map(fields);
    this.#bases = raw.map(bases);
    const sequences = raw.map((s, i) => toSequence(s, this.#bases[i]!));
    if (!Array.isArray(top["features"])) problems.push("The annotation has no list of features.");
    const columns = toColumns(this.#features, sequences);
    const lost = columns.sequence.filter((s, i) => s === -1 && columns.start[i] !== 0).length;
    if (lost > 0) problems.push(`The map leaves out ${counted(lost, "feature")} on sequences that the annotation does not have.`);
    this.words = this.#features.map((f, i) =>
      [text(f["locus"]), text(f["id"]), text(f["gene"]), ...texts(f["genes"]), columns.product[i], ...texts(f["db_xrefs"]), text(f["type"])]
        .join("\n")
        .normalize("NFC")
        .toLowerCase(),
    );
    this.annotation = {
      organism: organism(fields(top["genome"])),
      stats: toStats(fields(top["stats"]), sequences),
      sequences,
      features: columns,
      counts: counts(columns),
      composition: compose(this.#bases, sequences),
      translationTable: number(fields(top["genome"])["translation_table"]),
      gram: text(fields(top["genome"])["gram"]),
      versions: versions(fields(top["version"])),
      run: { start: text(fields(top["run"])["start"]), end: text(fields(top["run"])["end"]) },
      problems,
    };
  }

  detail(index: number): Detail {
    const f = this.#features[index] ?? {};
    const columns = this.annotation.features;
    return {
      index,
      kind: columns.kinds[columns.kind[index]!] ?? "",
      locus: text(f["locus"]),
      id: text(f["id"]),
      gene: text(f["gene"]),
      genes: texts(f["genes"]).filter((g) => g !== f["gene"]),
      product: columns.product[index] ?? "",
      references: [...new Set(texts(f["db_xrefs"]))],
      evidence: evidence(f),
      nt: text(f["nt"]) || this.#cut(index),
      aa: text(f["aa"]),
    };
  }

  /** Cuts a feature out of its sequence: Bakta writes the bases of most features, but not of all. */
  #cut(index: number): string {
    const { sequence, start, stop, strand } = this.annotation.features;
    const all = this.#bases[sequence[index]!] ?? "";
    const [from, to] = [start[index]!, stop[index]!];
    if (from === 0 || to === 0) return "";
    const forward = from <= to ? all.slice(from - 1, to) : all.slice(from - 1) + all.slice(0, to);
    return strand[index] === -1 ? complement(forward) : forward;
  }
}

function toSequence(s: Fields, nt: string): Sequence {
  return {
    id: text(s["id"]) || text(s["simple_id"]),
    name: text(s["name"]) || text(s["orig_id"]),
    length: position(s["length"]) || nt.length,
    type: text(s["type"]),
    circular: s["topology"] === "circular",
    complete: s["complete"] === true,
  };
}

function toColumns(features: Fields[], sequences: Sequence[]): Columns {
  const count = features.length;
  const places = new Map(sequences.map((s, i) => [s.id, i]));
  const kinds: string[] = [];
  const c: Columns = {
    count, kinds, kind: new Uint8Array(count), sequence: new Int32Array(count).fill(-1), start: new Int32Array(count),
    stop: new Int32Array(count), strand: new Int8Array(count), flags: new Uint8Array(count), length: new Int32Array(count),
    locus: [], gene: [], product: [],
  };
  features.forEach((f, i) => {
    const kind = text(f["type"]) || "feature";
    let k = kinds.indexOf(kind);
    if (k === -1) k = kinds.length < 255 ? kinds.push(kind) - 1 : 254;
    c.kind[i] = k;
    const place = places.get(text(f["sequence"]) || text(f["contig"])) ?? -1;
    const [start, stop] = [position(f["start"]), position(f["stop"])];
    c.sequence[i] = place;
    c.start[i] = start;
    c.stop[i] = stop;
    c.strand[i] = f["strand"] === "+" ? 1 : f["strand"] === "-" ? -1 : 0;
    c.flags[i] =
      (f["hypothetical"] === true ? flag.hypothetical : 0) +
      ("pseudogene" in f ? flag.pseudogene : 0) +
      ("truncated" in f ? flag.truncated : 0);
    if (start === 0 || stop === 0) c.length[i] = text(f["aa"]).length || position(f["length"]);
    else c.length[i] = start <= stop ? stop - start + 1 : Math.max(0, (sequences[place]?.length ?? start) - start + 1) + stop;
    c.locus.push(text(f["locus"]) || text(f["id"]));
    c.gene.push(text(f["gene"]));
    c.product.push(text(f["product"]) || (kind === "gap" ? "assembly gap" : ""));
  });
  return c;
}

function counts({ kinds, kind, flags }: Columns): Annotation["counts"] {
  const n = new Map<string, number>();
  const add = (key: string) => n.set(key, (n.get(key) ?? 0) + 1);
  for (let i = 0; i < kind.length; i++) {
    add(kinds[kind[i]!]!);
    if ((flags[i]! & flag.hypothetical) !== 0) add("hypothetical");
    if ((flags[i]! & flag.pseudogene) !== 0) add("pseudogene");
  }
  return [...n];
}

function organism(genome: Fields): string {
  return text(genome["taxon"]) || ["genus", "species", "strain"].map((key) => text(genome[key])).filter((t) => t !== "").join(" ");
}

function toStats(stats: Fields, sequences: Sequence[]): Annotation["stats"] {
  const s: Annotation["stats"] = {};
  const size = number(stats["size"]) ?? sequences.reduce((sum, q) => sum + q.length, 0);
  if (size > 0) s.size = size;
  const take = (key: keyof Annotation["stats"], from: string) => {
    const value = number(stats[from]);
    if (value !== undefined) s[key] = value;
  };
  take("gc", "gc");
  take("n50", "n50");
  take("n90", "n90");
  take("nRatio", "n_ratio");
  take("coding", "coding_ratio");
  return s;
}

function versions(v: Fields): Annotation["versions"] {
  const db = v["db"];
  const all: [string, string][] = [
    ["Bakta", text(v["bakta"])],
    // Before Bakta 1.9 a text.
    ["Bakta’s database", text(db) || [text(fields(db)["version"]), text(fields(db)["type"])].filter((t) => t !== "").join(", ")],
    ["Baktfold", text(v["baktfold"])],
    ["Baktfold’s database", text(v["baktfold_db"])],
  ];
  return all.filter(([, version]) => version !== "").map(([program, version]) => ({ program, version }));
}

/** About as many windows as the plot has pixels around. */
const windows = 1800;

function compose(all: string[], sequences: Sequence[]): Composition {
  const size = sequences.reduce((sum, q) => sum + q.length, 0);
  const width = Math.max(100, Math.ceil(size / windows));
  const starts: number[] = [];
  const content: number[] = [];
  const skew: number[] = [];
  let offset = 0;
  all.forEach((nt, i) => {
    for (let from = 0; from < nt.length; from += width) {
      const to = Math.min(nt.length, from + width);
      let [g, c, known] = [0, 0, 0];
      for (let k = from; k < to; k++) {
        switch (nt.charCodeAt(k) | 32) {
          case 103: // g
            g++;
            known++;
            break;
          case 99: // c
            c++;
            known++;
            break;
          case 97: // a
          case 116: // t
            known++;
        }
      }
      starts.push(offset + from + 1);
      content.push(known === 0 ? 0.5 : (g + c) / known);
      skew.push(g + c === 0 ? 0 : (g - c) / (g + c));
    }
    offset += sequences[i]!.length;
  });
  return { starts: Int32Array.from(starts), content: Float32Array.from(content), skew: Float32Array.from(skew) };
}

const pairs: Record<string, string> = Object.fromEntries(
  [..."ATCGATRYSWKMBVDHN"].map((base, i) => [base, [..."TAGCTAYRSWMKVBHDN"][i]!]).flatMap(([a, b]) => [[a!, b!], [a!.toLowerCase(), b!.toLowerCase()]]),
);

function complement(nt: string): string {
  const out: string[] = [];
  for (let i = nt.length - 1; i >= 0; i--) out.push(pairs[nt[i]!] ?? nt[i]!);
  return out.join("");
}

const percent = (value: unknown): string => {
  const n = number(value);
  return n === undefined ? "" : `${(100 * n).toFixed(1)} %`;
};

/** What a feature's annotation rests on, in words. The keys are those of Bakta 1.12.2 (features/, expert/, psc.py) and Baktfold 0.3.0. */
function evidence(f: Fields): Detail["evidence"] {
  const all: Detail["evidence"] = [];
  const add = (name: string, value: string) => {
    if (value !== "") all.push({ name, value });
  };
  const pseudo = fields(f["pseudogene"]);
  if ("pseudogene" in f) add("Pseudogene", text(pseudo["description"]) || "yes");
  if ("truncated" in f) add("Truncated", text(f["truncated"]) === "both" ? "at both ends" : `at its ${text(f["truncated"])} end`);
  add("Start codon", text(f["start_type"]));
  add("Ribosome binding site", text(f["rbs_motif"]));
  add("Amino acid", text(f["amino_acid"]));
  add("Anticodon", text(f["anti_codon"]).toUpperCase());
  add("Class", text(f["class"]));
  add("Score", text(f["score"]));
  add("E-value", text(f["evalue"]));
  add("Coverage", percent(f["coverage"]));
  for (const [key, name] of [["psc", "Protein cluster (90 %)"], ["pscc", "Protein cluster (50 %)"]] as const) {
    const hit = fields(f[key]);
    const parts = [
      text(hit["uniref90_id"] ?? hit["uniref50_id"]),
      percent(hit["identity"]) && `identity ${percent(hit["identity"])}`,
      percent(hit["query_cov"]) && `coverage ${percent(hit["query_cov"])}`,
    ];
    add(name, parts.filter((p) => p !== "").join(", "));
  }
  for (const hit of list(f["expert"]).map(fields)) {
    const identity = percent(hit["identity"]);
    add(`Expert system ${text(hit["type"])}`.trim(), [text(hit["product"]), identity && `identity ${identity}`].filter((p) => p !== "").join(", "));
  }
  for (const hit of list(f["pfams"]).map(fields)) add("Pfam domain", [text(hit["name"]), text(hit["id"])].filter((p) => p !== "").join(", "));
  for (const hit of list(f["pstc"]).map(fields)) add(`Structure (${text(hit["source"])})`, [text(hit["id"]), text(hit["description"])].filter((p) => p !== "").join(", "));
  const stats = fields(f["seq_stats"]);
  const weight = number(stats["molecular_weight"]);
  if (weight !== undefined) add("Molecular weight", `${(weight / 1000).toFixed(1)} kDa`);
  const point = number(stats["isoelectric_point"]);
  if (point !== undefined) add("Isoelectric point", point.toFixed(1));
  add("CRISPR repeat", text(f["repeat_consensus"]));
  return all;
}
