// The databases that Bakta's and Baktfold's cross-references name, and the addresses of their entries.
//
// The prefixes are those of Bakta 1.12.2 (constants.py) and its databases, and of Baktfold 0.3.0 (bakta/annotation.py).

export interface Reference {
  database: string;
  /** What stands behind the prefix. */
  entry: string;
  /** What the entry means, where that is known without asking. */
  meaning: string;
  /** Undefined if the database has no page for the entry. */
  url: string | undefined;
}

interface Database {
  name: string;
  url: (entry: string) => string | undefined;
}

/** An address with an entry that has to match; its first group, if there is one, is the part that goes into the address. */
const at = (form: RegExp, before: string, after = "") => (entry: string) => {
  const match = form.exec(entry);
  return match === null ? undefined : `${before}${encodeURIComponent(match[1] ?? match[0])}${after}`;
};

const evidence = "https://www.ncbi.nlm.nih.gov/genome/annotation_prok/evidence/";
const protein = "https://www.ncbi.nlm.nih.gov/protein/";
const pfam = { name: "Pfam", url: at(/^(PF\d{5})(?:\.\d+)?$/, "https://www.ebi.ac.uk/interpro/entry/pfam/", "/") };
const rfam = { name: "Rfam", url: at(/^RF\d{5}$/, "https://rfam.org/family/") };
const uniprot = { name: "UniProtKB", url: at(/^[A-Z0-9]{6,10}$/, "https://www.uniprot.org/uniprotkb/", "/entry") };

const databases: Record<string, Database> = {
  refseq: { name: "RefSeq", url: at(/^[A-Z]{2}_\d+(?:\.\d+)?$/, protein) },
  ncbiprotein: { name: "NCBI Protein", url: at(/^[A-Z0-9_]+(?:\.\d+)?$/, protein) },
  ncbifam: { name: "NCBIfam", url: at(/^((?:NF|TIGR)\d+)(?:\.\d+)?$/, evidence, "/") },
  blastrules: { name: "BlastRules", url: at(/^(NBR\d+)(?:\.\d+)?$/, evidence, "/") },
  uniref: { name: "UniRef", url: at(/^UniRef(?:50|90|100)_[A-Za-z0-9-]+$/, "https://www.uniprot.org/uniref/") },
  uniparc: { name: "UniParc", url: at(/^UPI[0-9A-F]{10}$/, "https://www.uniprot.org/uniparc/", "/entry") },
  uniprotkb: uniprot,
  "uniprotkb/trembl": uniprot,
  ec: { name: "EC", url: at(/^[1-7](?:\.(?:\d+|-)){3}$|^[1-7]\.\d+\.\d+\.n\d+$/, "https://enzyme.expasy.org/EC/") },
  cog: {
    name: "COG",
    url: (entry) =>
      /^COG\d{4}$/.test(entry)
        ? `https://www.ncbi.nlm.nih.gov/research/cog/cog/${entry}/`
        : /^[A-Z]$/.test(entry)
          ? `https://www.ncbi.nlm.nih.gov/research/cog/cogcategory/${entry}/`
          : undefined,
  },
  kegg: { name: "KEGG", url: at(/^K\d{5}$/, "https://www.kegg.jp/entry/") },
  pfam,
  rfam,
  go: { name: "GO", url: at(/^\d{7}$/, "https://www.ebi.ac.uk/QuickGO/term/GO:") },
  so: { name: "SO", url: at(/^\d{7}$/, "https://identifiers.org/SO:") },
  is: { name: "ISfinder", url: at(/^[A-Za-z0-9]+$/, "https://isfinder.biotoul.fr/scripts/ficheIS.php?name=") },
  vfdb: {
    name: "VFDB",
    url: (entry) =>
      at(/^VFG\d+/, "http://www.mgc.ac.cn/cgi-bin/VFs/gene.cgi?GeneID=")(entry) ?? at(/^VF\d+$/, "http://www.mgc.ac.cn/cgi-bin/VFs/vfs.cgi?VFID=")(entry),
  },
  afdb_v6: {
    name: "AlphaFold DB",
    url: at(/^(?:afdbclusters|swissprot)_(?:AF-)?([A-Z0-9]{6,10})(?:-F1.*)?$/, "https://alphafold.ebi.ac.uk/entry/"),
  },
  pdb: { name: "PDB", url: at(/^pdb_([0-9][A-Za-z0-9]{3})(?![A-Za-z0-9])/, "https://www.rcsb.org/structure/") },
  cath: { name: "CATH", url: at(/^cath_([0-9][A-Za-z0-9]{3}[A-Za-z0-9]\d{2})$/, "https://www.cathdb.info/version/latest/domain/") },
  userprotein: { name: "Trusted protein", url: () => undefined },
  userhmm: { name: "Profile HMM", url: () => undefined },
  custom: { name: "Own structures", url: () => undefined },
};

/** The functional categories of COG. */
const categories: Record<string, string> = {
  A: "RNA processing and modification",
  B: "Chromatin structure and dynamics",
  C: "Energy production and conversion",
  D: "Cell cycle control, cell division",
  E: "Amino acid transport and metabolism",
  F: "Nucleotide transport and metabolism",
  G: "Carbohydrate transport and metabolism",
  H: "Coenzyme transport and metabolism",
  I: "Lipid transport and metabolism",
  J: "Translation, ribosomal structure",
  K: "Transcription",
  L: "Replication, recombination and repair",
  M: "Cell wall, membrane, envelope",
  N: "Cell motility",
  O: "Posttranslational modification, chaperones",
  P: "Inorganic ion transport and metabolism",
  Q: "Secondary metabolites",
  R: "General function prediction only",
  S: "Function unknown",
  T: "Signal transduction",
  U: "Secretion and vesicular transport",
  V: "Defense mechanisms",
  W: "Extracellular structures",
  X: "Mobilome: prophages, transposons",
  Y: "Nuclear structure",
  Z: "Cytoskeleton",
};

/** Takes a cross-reference apart. One of a database that is not known here is shown as it is, without a link. */
export function reference(text: string): Reference {
  const colon = text.indexOf(":");
  const prefix = colon === -1 ? "" : text.slice(0, colon);
  const entry = text.slice(colon + 1);
  const database = databases[prefix.toLowerCase()];
  let meaning = "";
  if (prefix === "COG" && /^[A-Z]{1,4}$/.test(entry)) {
    meaning = [...entry].map((letter) => categories[letter]).filter((m) => m !== undefined).join("; ");
  }
  return { database: database?.name ?? (prefix || "Other"), entry, meaning, url: database?.url(entry) };
}
