// The kinds of features: their names, and the variables of their colours in results.css.

interface Kind {
  /** One, and many. */
  name: string;
  plural: string;
  /** Part of the name of a variable: --kind-… */
  colour: string;
}

/** By Bakta's words, in the order in which the page lists them. */
const kinds: Record<string, Kind> = {
  cds: { name: "CDS", plural: "CDSs", colour: "cds" },
  sorf: { name: "sORF", plural: "sORFs", colour: "sorf" },
  tRNA: { name: "tRNA", plural: "tRNAs", colour: "trna" },
  tmRNA: { name: "tmRNA", plural: "tmRNAs", colour: "trna" },
  rRNA: { name: "rRNA", plural: "rRNAs", colour: "rrna" },
  ncRNA: { name: "ncRNA", plural: "ncRNAs", colour: "ncrna" },
  "ncRNA-region": { name: "ncRNA region", plural: "ncRNA regions", colour: "ncrna" },
  crispr: { name: "CRISPR array", plural: "CRISPR arrays", colour: "crispr" },
  oriC: { name: "oriC", plural: "oriCs", colour: "ori" },
  oriV: { name: "oriV", plural: "oriVs", colour: "ori" },
  oriT: { name: "oriT", plural: "oriTs", colour: "ori" },
  gap: { name: "Gap", plural: "Gaps", colour: "gap" },
  hypothetical: { name: "Hypothetical", plural: "Hypotheticals", colour: "hypothetical" },
  pseudogene: { name: "Pseudogene", plural: "Pseudogenes", colour: "pseudogene" },
};

const order = Object.keys(kinds);

export const kindOf = (kind: string): Kind => kinds[kind] ?? { name: kind, plural: kind, colour: "other" };

/** Sorts kinds as the page lists them; unknown ones come last. */
export const byKind = (a: string, b: string): number => {
  const [x, y] = [order.indexOf(a), order.indexOf(b)];
  return (x === -1 ? order.length : x) - (y === -1 ? order.length : y) || (a < b ? -1 : 1);
};

/** The colours of kinds that have one of their own. */
export const colours = [...new Set(Object.values(kinds).map((k) => k.colour)), "other"];
