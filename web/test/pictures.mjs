// Makes the pictures of the documentation anew: `make web-pictures`.
import { mkdirSync } from "node:fs";
import { startBackend, startBrowser } from "./backend.mjs";

const folder = new URL("../../docs/pictures/", import.meta.url).pathname;
mkdirSync(folder, { recursive: true });
const [backend, browser] = await Promise.all([startBackend(), startBrowser()]);
try {
  const page = await browser.newPage({ viewport: { width: 1180, height: 740 }, locale: "en-GB" });
  await page.goto(backend.url);
  const bases = (/** @type {number} */ n, /** @type {number} */ seed) => {
    // The same bases each time, by a generator that needs no library.
    let state = seed;
    return Array.from({ length: n }, () => "ACGT"[((state = (state * 1103515245 + 12345) % 2147483648) >>> 16) & 3]).join("");
  };
  const file = (/** @type {string} */ name, /** @type {string} */ text) => ({ name, mimeType: "", buffer: Buffer.from(text) });
  await page.locator("input[type=file]").first().setInputFiles([
    file("Escherichia_coli_K12.fna", `>chromosome complete\n${bases(464_000, 1)}\n>pK1\n${bases(5_200, 2)}\n`),
    file("Salmonella_LT2.fasta", `>chromosome\n${bases(486_000, 3)}\n>pSLT\n${bases(9_400, 4)}\n`),
    file("isolate_17.fna", `>contig_1\n${bases(3_000, 5)}\n>contig_2\nACGTACGTXXACGT\n`),
  ]);
  await page.getByRole("button", { name: "Start 2 jobs", disabled: false }).waitFor();
  await page.screenshot({ path: `${folder}page.png` });
} finally {
  await browser.close();
  await backend.stop();
}
