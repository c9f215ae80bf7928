// Records in dist/sources.sha256 what the page was built from, so that a Go test can check without Node that dist/ is not stale.
import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "vite";

/** What the built page depends on, relative to web/. The test in web/web_test.go has the same list. */
const roots = ["build", "index.html", "package-lock.json", "package.json", "public", "src", "tsconfig.json", "vite.config.ts"];

/** The files below a path, relative to web/, with slashes. */
function files(path: string): string[] {
  try {
    return readdirSync(path)
      .flatMap((name) => files(`${path}/${name}`));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOTDIR") return [path];
    throw error;
  }
}

function digest(): string {
  const all = roots.flatMap(files).sort((a, b) => (a < b ? -1 : 1));
  return all.map((path) => `${createHash("sha256").update(readFileSync(join(path))).digest("hex")}  ${path}\n`).join("");
}

export function sources(): Plugin {
  return {
    name: "sources",
    apply: "build",
    generateBundle() {
      this.emitFile({ type: "asset", fileName: "sources.sha256", source: digest() });
    },
  };
}
