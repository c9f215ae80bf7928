// Which jobs the list shows, in which order, and which are selected.
import { computed, signal } from "@preact/signals";
import { stateOf, type State } from "../../parts/state";
import type { KeptJob } from "../../state/db";
import { jobs } from "../../state/jobs";
import { remembered } from "../../state/remembered";

export type Filter = "all" | "active" | "finished" | "failed";
/** What the jobs are sorted by: when they were added, their names, or their states, those with a fault first. */
export type Order = "added" | "name" | "state";

export interface Sorting {
  by: Order;
  descending: boolean;
}

/** Newest first. */
const initial: Sorting = { by: "added", descending: true };

export const filter = signal<Filter>("all");
/** The order of the table, the same at the next visit. */
export const sorting = remembered<Sorting>("order of jobs", initial, (kept) => kept.by in orders && typeof kept.descending === "boolean");
export const text = signal("");
export const selected = signal<ReadonlySet<string>>(new Set());

const groupOf: Record<State, Filter> = {
  created: "active", waiting: "active", running: "active", successful: "finished", error: "failed", refused: "failed", gone: "failed",
};

const rank: Record<State, number> = { error: 0, refused: 0, gone: 1, created: 2, running: 3, waiting: 4, successful: 5 };

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

const orders: Record<Order, (a: KeptJob, b: KeptJob) => number> = {
  added: (a, b) => a.added - b.added,
  name: (a, b) => collator.compare(a.name, b.name),
  state: (a, b) => rank[stateOf(a)] - rank[stateOf(b)],
};

/** Sorts by a column; by the one that sorts already, in the other direction. */
export function sortBy(by: Order): void {
  const now = sorting.value;
  sorting.value = { by, descending: now.by === by ? !now.descending : by === "added" };
}

/** How many jobs each filter shows. */
export const counts = computed(() => {
  const found: Record<Filter, number> = { all: 0, active: 0, finished: 0, failed: 0 };
  for (const job of jobs.value.values()) {
    found.all++;
    found[groupOf[stateOf(job)]]++;
  }
  return found;
});

/** The jobs that are shown. */
export const shown = computed(() => {
  const wanted = text.value.trim().toLowerCase();
  const compare = orders[sorting.value.by];
  const way = sorting.value.descending ? -1 : 1;
  return [...jobs.value.values()]
    .filter(
      (job) =>
        (filter.value === "all" || groupOf[stateOf(job)] === filter.value) &&
        (wanted === "" || job.name.toLowerCase().includes(wanted) || job.id.startsWith(wanted) || (job.last?.failure?.message.toLowerCase().includes(wanted) ?? false)),
    )
    .sort((a, b) => way * compare(a, b) || collator.compare(a.name, b.name) || (a.id < b.id ? -1 : 1));
});

/** The selected jobs that are shown: nothing happens to what is not in sight. */
export const chosen = computed(() => shown.value.filter((job) => selected.value.has(job.id)));

let anchor = "";

/** Selects a job or not; with `range`, also all between it and the one before. */
export function select(id: string, on: boolean, range: boolean): void {
  const next = new Set(selected.value);
  const ids = shown.value.map((job) => job.id);
  const [a, b] = [ids.indexOf(anchor), ids.indexOf(id)].sort((x, y) => x - y) as [number, number];
  const touched = range && a >= 0 ? ids.slice(a, b + 1) : [id];
  for (const one of touched) {
    if (on) next.add(one);
    else next.delete(one);
  }
  anchor = id;
  selected.value = next;
}

export function selectAll(on: boolean): void {
  selected.value = new Set(on ? shown.value.map((job) => job.id) : []);
}
