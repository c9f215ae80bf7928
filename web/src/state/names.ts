// Names of jobs, from names of files.
const compressed = /\.(gz|bz2|xz|zst)$/i;
const endings = /\.(fna|fa|fasta|fas|fsa|faa|pep|json|ffn|seq|txt)$/i;

export const baseName = (path: string) => path.slice(path.lastIndexOf("/") + 1);

/** The name of a file without what its format adds: "a.fna.gz" is of "a". */
export function jobName(path: string): string {
  const base = baseName(path);
  const name = base.replace(compressed, "").replace(endings, "");
  return name === "" ? base : name;
}
