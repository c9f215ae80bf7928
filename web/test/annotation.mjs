// Makes an annotation in the form of Bakta's JSON file, of any size, for the tests. The same call gives the same annotation.

/** Random numbers from 0 to 1, the same for each seed (mulberry32). */
function random(seed) {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const complement = { A: "T", C: "G", G: "C", T: "A" };
const reversed = (nt) => [...nt].reverse().map((b) => complement[b]).join("");
const words = ["kinase", "transporter", "reductase", "synthase", "permease", "regulator", "ligase", "hydrolase", "protease", "helicase"];
const adjectives = ["putative", "cytosolic", "membrane-bound", "NADH-dependent", "zinc-binding", "ATP-dependent", "made-up"];

/**
 * @param {{ features: number, sequences?: number, origin?: boolean }} options `origin` makes the last feature of each sequence go over its
 * origin.
 */
export function bakta({ features, sequences = 1, origin = true }) {
  const next = random(features * 31 + sequences);
  const pick = (list) => list[Math.floor(next() * list.length)];
  const all = [];
  const replicons = [];
  let tag = 0;
  for (let s = 0; s < sequences; s++) {
    const count = Math.max(1, Math.round(features / sequences));
    const id = `contig_${s + 1}`;
    const parts = [];
    let at = 0;
    const mine = [];
    for (let i = 0; i < count && all.length + mine.length < features; i++) {
      const kind = i % 60 === 7 ? "tRNA" : i % 400 === 11 ? "rRNA" : i % 90 === 13 ? "ncRNA" : i % 700 === 19 ? "crispr" : i % 150 === 23 ? "sorf" : "cds";
      const codons = kind === "cds" ? 60 + Math.floor(next() ** 2 * 700) : kind === "rRNA" ? 500 : 25;
      const strand = Math.floor(i / 12) % 3 === 1 ? "-" : "+";
      const rich = 0.5 + 0.12 * Math.sin((6.28 * i) / count);
      const letters = [];
      for (let k = 0; k < codons * 3; k++) letters.push(next() < rich ? (next() < 0.53 ? "G" : "C") : next() < 0.5 ? "A" : "T");
      const nt = letters.join("");
      const gap = Math.floor(next() * 160);
      parts.push("A".repeat(gap >> 1) + "GC".repeat((gap - (gap >> 1)) >> 1) + nt);
      const start = at + (gap >> 1) + 2 * ((gap - (gap >> 1)) >> 1) + 1;
      at = start + nt.length - 1;
      const number = ++tag;
      const hypothetical = kind === "cds" && next() < 0.2;
      const gene = hypothetical || next() < 0.4 ? null : `${pick("abcdefgh".split(""))}${pick("rst".split(""))}${pick("ab".split(""))}${pick("ABCDEFG".split(""))}`;
      const f = {
        type: kind, sequence: id, start, stop: at, strand, gene,
        product: hypothetical ? "hypothetical protein" : kind === "cds" || kind === "sorf" ? `${pick(adjectives)} ${pick(words)} ${number}` : `${kind} ${number}`,
        db_xrefs: kind === "cds" && !hypothetical
          ? [`RefSeq:WP_${String(100000000 + number)}.1`, "SO:0001217", `UniParc:UPI${number.toString(16).toUpperCase().padStart(10, "0")}`,
              `UniRef:UniRef100_A0A${String(number).padStart(6, "0")}`, `UniRef:UniRef90_A0A${String(number).padStart(6, "0")}`,
              `COG:COG${String(1 + (number % 4000)).padStart(4, "0")}`, `COG:${pick("CEGJKLMPT".split(""))}`, `KEGG:K${String(number % 20000).padStart(5, "0")}`,
              `GO:000${String(1000 + (number % 8000))}`, "EC:2.7.1.-"]
          : [kind === "tRNA" ? "SO:0000253" : "SO:0001217"],
        nt: strand === "+" ? nt : reversed(nt), id: `TEST_${number}`, locus: `TEST_${String(number * 5).padStart(6, "0")}`,
      };
      if (kind === "rRNA" || kind === "ncRNA") Object.assign(f, { score: 123.4, evalue: 1e-12, coverage: 0.98, class: null });
      if (kind === "tRNA") Object.assign(f, { amino_acid: "Ala", anti_codon: "ggc", score: 71.3 });
      if (kind === "crispr") Object.assign(f, { spacers: [], repeats: [], repeat_consensus: "GTTTTAGAGCTA" });
      if (kind === "cds" || kind === "sorf") {
        Object.assign(f, { frame: 1, aa: "M" + "ACDEFGHIKLMNPQRSTVWY".repeat(60).slice(number % 20, (number % 20) + codons - 2), aa_hexdigest: "0".repeat(32), start_type: "ATG", rbs_motif: "GGAG", genes: gene === null ? [] : [gene], ...(hypothetical ? { hypothetical: true, seq_stats: { molecular_weight: 12345.6, isoelectric_point: 5.4 } } : {}) });
        if (number % 97 === 0) f.pseudogene = { description: "Internal stop codon", paralog: false };
      }
      mine.push(f);
    }
    let nt = parts.join("");
    if (origin && mine.length > 1) {
      // The last feature ends behind the origin, where 30 bases were free for it.
      const f = mine.at(-1);
      nt += "G".repeat(40);
      f.start = nt.length - 39 - 20;
      f.stop = Math.min(20, mine[0].start - 1) || 1;
      f.edge = true;
      f.nt = "";
    }
    nt = nt || "ACGT";
    all.push(...mine);
    replicons.push({
      id, description: "[gcode=11]", nt, length: nt.length, complete: sequences === 1, type: s === 0 ? "chromosome" : "contig",
      topology: sequences === 1 ? "circular" : "linear", simple_id: id, orig_id: `original_${s + 1}`, orig_description: "",
    });
  }
  const size = replicons.reduce((sum, r) => sum + r.length, 0);
  const lengths = replicons.map((r) => r.length).sort((a, b) => b - a);
  let sum = 0;
  const n50 = lengths.find((l) => (sum += l) * 2 >= size);
  return {
    genome: { genus: "Testus", species: "exemplaris", strain: "T1", taxon: "Testus exemplaris T1", complete: sequences === 1, gram: "?", translation_table: 11 },
    stats: { size, gc: 0.5123, n_ratio: 0, n50, n90: lengths.at(-1), coding_ratio: 0.8764 },
    features: all,
    sequences: replicons,
    run: { start: "2026-01-02 03:04:05", end: "2026-01-02 03:14:05", duration: "10.00 min" },
    version: { bakta: "1.12.2", db: { version: "6.0", type: "full" } },
  };
}
