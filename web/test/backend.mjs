// Starts `bakta-web local` with the stand-in on a free port, and a Chromium, for the tests.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const program = new URL("../../bin/bakta-web", import.meta.url).pathname;

/** The places where Chromium is installed, CHROMIUM first. */
export const browserPath = [process.env["CHROMIUM"], "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(
  (path) => path !== undefined && existsSync(path),
);

/**
 * Starts a server. `arguments_` are further options of `bakta-web local`; `data` is its directory, by default a new one.
 * @param {{ arguments?: string[], data?: string, listen?: string, env?: Record<string, string> }} [options]
 */
export async function startBackend(options = {}) {
  const data = options.data ?? mkdtempSync(join(tmpdir(), "bakta-web-page-"));
  const child = spawn(
    program,
    ["local", "--data", data, "--bakta", "stand-in", "--listen", options.listen ?? "127.0.0.1:0", ...(options.arguments ?? [])],
    { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...options.env } },
  );
  let errors = "";
  child.stderr.on("data", (chunk) => (errors += chunk));
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const url = await new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).once("line", resolve);
    child.once("exit", (code) => reject(new Error(`bakta-web local ended with ${code}: ${errors}`)));
  });
  return {
    url: /** @type {string} */ (url),
    data,
    /** What the server wrote to its standard error. */
    errors: () => errors,
    /** Stops the server. Its data is removed unless it is kept for the next one. */
    async stop(keep = false) {
      child.kill("SIGTERM");
      await ended;
      if (!keep) rmSync(data, { recursive: true, force: true });
    },
  };
}

/** Starts a Chromium. Its sandbox needs a user that is not root. */
export function startBrowser(/** @type {string[]} */ args = []) {
  if (browserPath === undefined) throw new Error("There is no Chromium; install it, or set CHROMIUM to its path.");
  const sandbox = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  return chromium.launch({ executablePath: browserPath, args: [...sandbox, ...args] });
}
