// Packs large files of the page by gzip, as browsers get them: the server embeds them, and would otherwise have each of them as it is and
// pack it at the first request.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Plugin } from "vite";

/** The smallest file that is packed, in bytes. Smaller ones stay readable in the repository. */
const smallest = 100_000;

export function packed(): Plugin {
  return {
    name: "packed",
    apply: "build",
    // When all is written: Vite still changes the text of scripts after every generateBundle of a plugin.
    writeBundle(options, bundle) {
      for (const name of Object.keys(bundle).filter((n) => /\.(js|css)$/.test(n))) {
        const path = join(options.dir!, name);
        const content = readFileSync(path);
        if (content.length < smallest) continue;
        writeFileSync(`${path}.gz`, gzipSync(content, { level: 9 }));
        rmSync(path);
      }
    },
  };
}
