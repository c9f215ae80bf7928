// The addresses of cross-references, in the forms that Bakta 1.12.2 and Baktfold 0.3.0 write.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createServer } from "vite";

const cases = {
  "RefSeq:WP_000002.1": "https://www.ncbi.nlm.nih.gov/protein/WP_000002.1",
  "NCBIProtein:WP_000002.1": "https://www.ncbi.nlm.nih.gov/protein/WP_000002.1",
  "NCBIFam:NF000282.2": "https://www.ncbi.nlm.nih.gov/genome/annotation_prok/evidence/NF000282/",
  "BlastRules:NBR000123": "https://www.ncbi.nlm.nih.gov/genome/annotation_prok/evidence/NBR000123/",
  "UniRef:UniRef100_A0A0A1": "https://www.uniprot.org/uniref/UniRef100_A0A0A1",
  "UniRef:UniRef50_UPI000012AB3C": "https://www.uniprot.org/uniref/UniRef50_UPI000012AB3C",
  "UniParc:UPI000012AB3C": "https://www.uniprot.org/uniparc/UPI000012AB3C/entry",
  "UniProtKB/TrEMBL:A0A0A1B2C3": "https://www.uniprot.org/uniprotkb/A0A0A1B2C3/entry",
  "EC:1.1.1.1": "https://enzyme.expasy.org/EC/1.1.1.1",
  "EC:2.7.-.-": "https://enzyme.expasy.org/EC/2.7.-.-",
  "EC:3.1.26.n2": "https://enzyme.expasy.org/EC/3.1.26.n2",
  "COG:COG0012": "https://www.ncbi.nlm.nih.gov/research/cog/cog/COG0012/",
  "COG:K": "https://www.ncbi.nlm.nih.gov/research/cog/cogcategory/K/",
  "COG:EG": undefined,
  "KEGG:K01985": "https://www.kegg.jp/entry/K01985",
  "PFAM:PF00005.30": "https://www.ebi.ac.uk/interpro/entry/pfam/PF00005/",
  "Pfam:PF00005": "https://www.ebi.ac.uk/interpro/entry/pfam/PF00005/",
  "RFAM:RF00177": "https://rfam.org/family/RF00177",
  "GO:0005840": "https://www.ebi.ac.uk/QuickGO/term/GO:0005840",
  "SO:0001217": "https://identifiers.org/SO:0001217",
  "IS:IS26": "https://isfinder.biotoul.fr/scripts/ficheIS.php?name=IS26",
  "VFDB:VFG000676": "http://www.mgc.ac.cn/cgi-bin/VFs/gene.cgi?GeneID=VFG000676",
  "VFDB:VF0001": "http://www.mgc.ac.cn/cgi-bin/VFs/vfs.cgi?VFID=VF0001",
  "afdb_v6:swissprot_AF-P0A7B8-F1-model_v6": "https://alphafold.ebi.ac.uk/entry/P0A7B8",
  "afdb_v6:afdbclusters_A0A0A1B2C3": "https://alphafold.ebi.ac.uk/entry/A0A0A1B2C3",
  "pdb:pdb_1abc-assembly1_A": "https://www.rcsb.org/structure/1abc",
  "cath:cath_1abcA00": "https://www.cathdb.info/version/latest/domain/1abcA00",
  "UserProtein:mine": undefined,
  "UserHMM:mine": undefined,
  "EC:javascript:alert(1)": undefined,
  "RefSeq:\"><script>": undefined,
  "elsewhere": undefined,
  "Somewhere:1": undefined,
};

test("each cross-reference leads to its entry", async () => {
  const server = await createServer({ configFile: false, server: { middlewareMode: true, hmr: false, ws: false, watch: null }, appType: "custom", optimizeDeps: { noDiscovery: true }, logLevel: "error" });
  try {
    const { reference } = await server.ssrLoadModule("/src/views/job/results/references.ts");
    for (const [text, url] of Object.entries(cases)) assert.equal(reference(text).url, url, text);
    assert.equal(reference("COG:EG").meaning, "Amino acid transport and metabolism; Carbohydrate transport and metabolism");
    assert.deepEqual([reference("elsewhere").database, reference("elsewhere").entry], ["Other", "elsewhere"]);
  } finally {
    await server.close();
  }
});
