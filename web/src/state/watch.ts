// Keeps the jobs up to date: one request asks for all jobs that may change. The longer nothing changes, the slower it asks, and
// slower still while the page is hidden.
import { signal } from "@preact/signals";
import { list, ServerError, Unreachable } from "../api/client";
import { jobs, loaded, mayChange, ref, take } from "./jobs";

/** Why the last request failed, in words for people; empty when it succeeded. */
export const trouble = signal("");

const fastest = 2_000;
const slowest = 30_000;
const hidden = 60_000;
/** The server bounds the jobs of one request; more are asked for in several. */
const most = 500;

let wait = fastest;
let timer = 0;
let asking = false;
let again = false;
let asked = 0;

/** Asks now, and quickly for a while: something is expected to change. */
export function wake(): void {
  wait = fastest;
  if (asking) {
    again = true;
    return;
  }
  clearTimeout(timer);
  timer = window.setTimeout(() => void ask(), Math.max(0, asked + fastest / 2 - Date.now())); // hundreds of starts are one question
}

async function ask(): Promise<void> {
  clearTimeout(timer);
  const due = [...jobs.value.values()].filter(mayChange);
  if (due.length === 0) {
    trouble.value = "";
    return; // wake() goes on when there is a job
  }
  asking = true;
  asked = Date.now();
  again = false;
  let changed = false;
  let least = 0;
  try {
    for (let i = 0; i < due.length; i += most) {
      changed = (await take(await list(due.slice(i, i + most).map(ref)))) || changed;
    }
    trouble.value = "";
  } catch (error) {
    trouble.value = error instanceof ServerError || error instanceof Unreachable ? error.message : "The jobs could not be updated.";
    if (error instanceof ServerError) least = error.retryAfter * 1000;
  }
  asking = false;
  wait = changed || again ? fastest : Math.min(slowest, wait * 1.25);
  timer = window.setTimeout(() => void ask(), Math.max(least, again ? fastest / 2 : document.hidden ? Math.max(wait, hidden) : wait));
}

/** Begins to watch. */
export function watch(): void {
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) wake();
  });
  addEventListener("online", wake);
  loaded.subscribe((yes) => {
    if (yes) wake();
  });
}
