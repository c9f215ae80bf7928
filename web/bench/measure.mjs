// What the measurements of the page share.

let missed = false;

/** Prints a figure beside its bound. A bound that is missed makes the program exit with 1. */
export function print(what, value, unit, bound) {
  const isMet = value <= bound;
  missed ||= !isMet;
  if (missed) process.exitCode = 1;
  console.log(`${isMet ? "met   " : "MISSED"}  ${what}: ${Math.round(value)} ${unit} (bound ${bound} ${unit})`);
}

/**
 * The longest task of the page's main thread while something is done, in ms of the processor. By the clock, a task is also as long as other
 * programs of a busy machine keep the page from running, which is not its own doing.
 * @param {import("playwright-core").Browser} browser
 * @param {import("playwright-core").Page} page
 * @param {() => Promise<unknown>} act
 */
export async function longest(browser, page, act) {
  await browser.startTracing(page, { categories: ["-*", "toplevel", "devtools.timeline", "disabled-by-default-devtools.timeline"] });
  await act();
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 100))));
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString());
  const main = new Set(traceEvents.filter((e) => e.name === "thread_name" && e.args.name === "CrRendererMain").map((e) => `${e.pid} ${e.tid}`));
  const tasks = traceEvents.filter((e) => /RunTask$/.test(e.name) && e.tdur !== undefined && main.has(`${e.pid} ${e.tid}`));
  if (tasks.length === 0) throw new Error("the trace has no tasks of the page");
  return Math.max(...tasks.map((e) => e.tdur)) / 1000;
}
