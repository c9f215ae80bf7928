// Starts `bakta-web local` with the stand-in on a free port, and a Chromium, for the tests.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, existsSync } from "node:fs";
import { createServer } from "node:net";
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

/** How long a condition is waited for, in ms: no measure of speed, but the end of hope, on a machine that does much else. */
export const patience = 120_000;

/** Starts a Chromium. Its sandbox needs a user that is not root. */
export async function startBrowser(/** @type {string[]} */ args = []) {
  if (browserPath === undefined) throw new Error("There is no Chromium; install it, or set CHROMIUM to its path.");
  const sandbox = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  const browser = await chromium.launch({ executablePath: browserPath, args: [...sandbox, ...args], timeout: patience });
  browser.on("context", (context) => context.setDefaultTimeout(patience));
  return browser;
}

/** Waits until a check holds, for what no locator can wait for. */
export async function until(/** @type {() => Promise<boolean>} */ holds, what = String(holds)) {
  for (const end = Date.now() + patience; !(await holds()); ) {
    if (Date.now() > end) throw new Error(`It did not come true: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100)); // between two looks
  }
}

/** A free port for a server that ends and comes back. It is below those that the system gives to others meanwhile. */
export async function freePort() {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const isFree = await new Promise((resolve) => {
      const server = createServer().once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
}
