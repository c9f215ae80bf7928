// Writes dist/licences.txt: the licences of all packages whose code or files are in the page.
import { readFileSync, readdirSync } from "node:fs";
import type { Plugin } from "vite";

interface Lock {
  packages: Record<string, { version?: string; license?: string; dev?: boolean }>;
}

/** Packages that are needed to build, of which a few lines end up in the page: the loader of what is split off. */
const helpers = ["node_modules/vite", "node_modules/rolldown"];

function text(path: string): string {
  const name = readdirSync(path).filter((n) => /^(licen[cs]e|copying)([.-].*)?$/i.test(n)).sort()[0];
  if (name === undefined) throw new Error(`${path} has no file with its licence`);
  // Vite's file goes on with the licences of what its own program contains.
  return readFileSync(`${path}/${name}`, "utf8").split(/\n# Licenses of bundled dependencies/)[0]!.trim();
}

function list(): string {
  const lock = JSON.parse(readFileSync("package-lock.json", "utf8")) as Lock;
  const paths = Object.entries(lock.packages)
    .filter(([path, p]) => path !== "" && (p.dev !== true || helpers.includes(path)))
    .map(([path]) => path)
    .sort();
  const parts = paths.map((path) => {
    const p = lock.packages[path]!;
    const title = `${path.replace(/^.*node_modules\//, "")} ${p.version ?? ""} (${p.license ?? "see below"})`;
    return `${title}\n${"=".repeat(title.length)}\n\n${text(path)}\n`;
  });
  return `This page contains parts of the following packages. What it checks files with, from other sources: /inspect/licences.txt\n\n${parts.join("\n\n")}`;
}

export function licences(): Plugin {
  return {
    name: "licences",
    apply: "build",
    generateBundle() {
      this.emitFile({ type: "asset", fileName: "licences.txt", source: list() });
    },
  };
}
