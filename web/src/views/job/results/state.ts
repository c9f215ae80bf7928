// What the plot, the browser, the table and the details of one job share: its annotation, the chosen feature, and the table's filter.
import { batch, computed, effect, signal } from "@preact/signals";
import { Reader, Unavailable, type Annotation, type Detail, type Selection, type SortKey } from "./annotation/annotation";
import type { Links } from "./links";
import { remembered } from "../../../state/remembered";

/** No feature is chosen. */
export const none = -1;

type Order = Pick<Selection, "sort" | "descending">;
type Filter = Omit<Selection, keyof Order>;

const everything: Filter = { text: "", kind: "", sequence: -1 };

/** The order of the table, which other jobs and the next visit have, too. */
const sorting = remembered<Order>(
  "order of features",
  { sort: "position", descending: false },
  (kept) => ["position", "locus", "kind", "gene", "product", "length"].includes(kept.sort) && typeof kept.descending === "boolean",
);

export class State {
  readonly annotation = signal<Annotation | undefined>(undefined);
  /** Why there is no annotation, in words for people. */
  readonly problem = signal("");
  /** The chosen feature. */
  readonly chosen = signal(none);
  /** What is known of it; that of the one before while the worker looks it up. */
  readonly detail = signal<Detail | undefined>(undefined);
  readonly #filter = signal<Filter>(everything);
  readonly selection = computed<Selection>(() => ({ ...this.#filter.value, ...sorting.value }));
  /** The features of the table, in its order. */
  readonly rows = signal<Int32Array>(new Int32Array());
  /** The row of the chosen feature, or -1. */
  readonly row = computed(() => (this.chosen.value === none ? -1 : this.rows.value.indexOf(this.chosen.value)));
  readonly #reader = new Reader();
  readonly #stop: (() => void)[] = [];

  constructor(readonly links: Links) {
    this.#stop.push(effect(() => void this.#select(this.selection.value, this.annotation.value)));
    this.#stop.push(effect(() => void this.#lookUp(this.chosen.value)));
  }

  async open(): Promise<void> {
    this.problem.value = "";
    try {
      const annotation = await this.links.use("json", (url) => this.#reader.ask("open", url), (error) => error instanceof Unavailable);
      batch(() => {
        this.annotation.value = annotation;
        // At once, in the order of the file. The worker's answer follows.
        this.rows.value = Int32Array.from({ length: annotation.features.count }, (_, i) => i);
      });
    } catch (error) {
      this.problem.value = error instanceof Error ? error.message : String(error);
    }
  }

  close(): void {
    for (const stop of this.#stop) stop();
    this.#reader.close();
  }

  filter(change: Partial<Filter>): void {
    this.#filter.value = { ...this.#filter.value, ...change };
  }

  order(sort: SortKey, descending: boolean): void {
    sorting.value = { sort, descending };
  }

  /** Whether something is left out of the table. */
  readonly filtered = computed(() => {
    const { text, kind, sequence } = this.selection.value;
    return text.trim() !== "" || kind !== "" || sequence !== -1;
  });

  clearFilter(): void {
    this.filter(everything);
  }

  /** Chooses a feature, wherever it is: a filter that hides it from the table is cleared. */
  choose(index: number): void {
    batch(() => {
      this.chosen.value = index;
      if (index !== none && this.filtered.value && !this.rows.value.includes(index)) this.clearFilter();
    });
  }

  /** Chooses the feature before or behind the chosen one in the table. */
  step(by: number): void {
    const rows = this.rows.value;
    if (rows.length === 0) return;
    const from = this.row.value;
    const to = from === -1 ? (by > 0 ? 0 : rows.length - 1) : Math.max(0, Math.min(rows.length - 1, from + by));
    this.chosen.value = rows[to]!;
  }

  #asked = 0;

  async #select(selection: Selection, annotation: Annotation | undefined): Promise<void> {
    if (annotation === undefined) return;
    const asked = ++this.#asked;
    const rows = await this.#reader.ask("select", selection);
    if (asked === this.#asked) this.rows.value = rows;
  }

  async #lookUp(index: number): Promise<void> {
    if (index === none) {
      this.detail.value = undefined;
      return;
    }
    const detail = await this.#reader.ask("detail", index);
    if (this.chosen.value === index) this.detail.value = detail;
  }
}
