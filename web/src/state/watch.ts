// Keeps the jobs up to date: one request asks for all jobs that may change. The longer nothing changes, the slower it asks, and
// slower still while the page is hidden.
import { signal } from "@preact/signals";
import { list, ServerError, Unreachable } from "../api/client";
import type { KeptJob } from "./db";
import { jobs, loaded, mayChange, ref, take } from "./jobs";
import { wordsOfRetry } from "./patience";

/** Why the last request failed, in words for people; empty when it succeeded. */
export const trouble = signal("");

const fastest = 2_000;
const slowest = 30_000;
const hidden = 60_000;
/** How often jobs are asked for that the server did not have: another one may have answered at its address, for a while. */
const rarely = 60_000;
/** The server bounds the jobs of one request; more are asked for in several. */
const most = 500;

let wait = fastest;
let timer = 0;
let asking = false;
let again = false;
let asked = 0;

/** All jobs that are gone are asked for next. */
let allGone = true;
let goneAsked = 0;
/** Where the next part of them begins. */
let turn = 0;

/** The jobs that are gone, if it is their turn: all of them after a load or when the connection is back, else a part once a minute. */
function goneDue(): KeptJob[] {
  const gone = [...jobs.value.values()].filter((job) => job.gone !== undefined);
  if (gone.length === 0) {
    allGone = false;
    goneAsked = Date.now();
    return [];
  }
  if (document.hidden || (!allGone && Date.now() < goneAsked + rarely)) return [];
  goneAsked = Date.now();
  if (allGone) {
    allGone = false;
    return gone;
  }
  if (turn >= gone.length) turn = 0;
  turn += most;
  return gone.slice(turn - most, turn);
}

/** Is told of jobs that the server has again. */
let onBack: (back: KeptJob[]) => void = () => undefined;

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
  const gone = goneDue();
  const due = [...[...jobs.value.values()].filter(mayChange), ...gone];
  if (due.length === 0) {
    trouble.value = "";
    const isAnyGone = [...jobs.value.values()].some((job) => job.gone !== undefined);
    if (isAnyGone && !document.hidden) timer = window.setTimeout(() => void ask(), Math.max(0, goneAsked + rarely - Date.now()));
    return; // wake() goes on when there is a job, or the page is seen
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
    const back = gone.flatMap(({ id }) => jobs.value.get(id) ?? []).filter((job) => job.gone === undefined);
    if (back.length > 0) onBack(back);
  } catch (error) {
    if (gone.length > 0) allGone = true; // they were not all asked for
    trouble.value = error instanceof ServerError || error instanceof Unreachable ? wordsOfRetry(error) : "The jobs could not be updated.";
    if (error instanceof ServerError) least = error.retryAfter * 1000;
  }
  asking = false;
  wait = changed || again ? fastest : Math.min(slowest, wait * 1.25);
  timer = window.setTimeout(() => void ask(), Math.max(least, again ? fastest / 2 : document.hidden ? Math.max(wait, hidden) : wait));
}

/** Begins to watch. `back` takes jobs that the server has again. */
export function watch(back: (jobs: KeptJob[]) => void): void {
  onBack = back;
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) wake();
  });
  addEventListener("online", () => {
    allGone = true;
    wake();
  });
  loaded.subscribe((yes) => {
    if (yes) wake();
  });
}
