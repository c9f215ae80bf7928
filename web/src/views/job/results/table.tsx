// The table of all features. Only the rows in sight are in the document.
import { useComputed, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { count } from "../../../parts/format";
import { Icon } from "../../../parts/icon";
import { flag, type Annotation, type SortKey } from "./annotation/annotation";
import { byKind, kindOf } from "./kinds";
import { range, strand } from "./places";
import type { State } from "./state";

const columns: { key: string; name: string; sort?: SortKey }[] = [
  { key: "locus", name: "Locus tag", sort: "locus" },
  { key: "kind", name: "Kind", sort: "kind" },
  { key: "gene", name: "Gene", sort: "gene" },
  { key: "product", name: "Product", sort: "product" },
  { key: "sequence", name: "Sequence" },
  { key: "place", name: "Position", sort: "position" },
  { key: "length", name: "Length", sort: "length" },
];

/** Rows that are drawn beyond those in sight, so that a fast scroll finds some. */
const beyond = 8;

export function Table({ state, annotation }: { state: State; annotation: Annotation }) {
  const { features, sequences } = annotation;
  const scroller = useRef<HTMLDivElement>(null);
  const isGenome = sequences.length > 0;
  const isSeveral = sequences.length > 1;
  const used = columns.filter((c) => (isGenome || (c.key !== "place" && c.key !== "kind")) && (isSeveral || c.key !== "sequence"));
  const form = isSeveral ? "several" : isGenome ? "one" : "proteins";
  const narrow = useMedia("(max-width: 40rem)");
  const height = narrow ? 62 : 36;
  const head = narrow ? 0 : 38;
  const top = useSignal(0);
  const room = useSignal(600);
  const rows = state.rows.value;

  useEffect(() => {
    const element = scroller.current!;
    const observer = new ResizeObserver(() => (room.value = element.clientHeight));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  // The chosen row comes into sight, whoever chose it: when the body has the height of all its rows.
  const row = state.row.value;
  useEffect(() => {
    const element = scroller.current;
    if (row === -1 || element === null) return;
    const asked = requestAnimationFrame(() => {
      const at = row * height;
      const seen = element.clientHeight - head;
      if (at < element.scrollTop) element.scrollTop = at;
      else if (at + height > element.scrollTop + seen) element.scrollTop = at + height - seen;
    });
    return () => cancelAnimationFrame(asked);
  }, [row, rows, height]);

  const first = Math.max(0, Math.floor(top.value / height) - beyond);
  const last = Math.min(rows.length, Math.ceil((top.value + room.value) / height) + beyond);
  const keys = (e: KeyboardEvent) => {
    const page = Math.max(1, Math.floor((room.value - head) / height) - 1);
    const by = ({ ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity } as Record<string, number>)[e.key];
    if (by === undefined || e.target !== scroller.current) return;
    e.preventDefault();
    state.step(by === Infinity ? rows.length : by === -Infinity ? -rows.length : by);
  };
  const drawn = [];
  for (let r = first; r < last; r++) drawn.push(<Row key={rows[r]} r={r} i={rows[r]!} top={r * height} state={state} annotation={annotation} />);

  return (
    <section class="features" aria-labelledby="features-title">
      <div class="row spread bar-above">
        <h2 id="features-title">{isGenome ? "Features" : "Proteins"}</h2>
        <p class="soft small" role="status">
          {rows.length === features.count ? count(rows.length) : `${count(rows.length)} of ${count(features.count)}`}
        </p>
      </div>
      <Filter state={state} annotation={annotation} narrow={narrow} />
      <div
        class="grid sheet"
        role="grid"
        aria-label={isGenome ? "Features" : "Proteins"}
        aria-rowcount={rows.length + 1}
        aria-colcount={used.length}
        aria-activedescendant={row >= first && row < last ? `feature-${state.chosen.value}` : undefined}
        tabIndex={0}
        ref={scroller}
        onScroll={(e) => (top.value = e.currentTarget.scrollTop)}
        onKeyDown={keys}
      >
        <div role="row" aria-rowindex={1} class={`grid-head ${form}`}>
          {used.map((column) => (
            <Head key={column.key} column={column} state={state} />
          ))}
        </div>
        <div role="rowgroup" class={`grid-body ${form}`} style={{ height: `${rows.length * height}px` }}>
          {drawn}
        </div>
        {rows.length === 0 && (
          <div class="grid-empty">
            <p>No feature matches.</p>
            <button type="button" class="button small" onClick={() => state.clearFilter()}>
              Show all
            </button>
          </div>
        )}
      </div>
    </section>
  );
}

function Head({ column, state }: { column: (typeof columns)[number]; state: State }) {
  const { sort, descending } = state.selection.value;
  const on = column.sort === sort;
  if (column.sort === undefined) {
    return (
      <div role="columnheader" class={`cell-${column.key}`}>
        {column.name}
      </div>
    );
  }
  return (
    <div role="columnheader" class={`cell-${column.key}`} aria-sort={on ? (descending ? "descending" : "ascending") : "none"}>
      <button type="button" onClick={() => state.order(column.sort!, on && !descending)}>
        {column.name}
        {on && <Icon name={descending ? "down" : "up"} />}
      </button>
    </div>
  );
}

function Row({ r, i, top, state, annotation }: { r: number; i: number; top: number; state: State; annotation: Annotation }) {
  const { features, sequences } = annotation;
  // Only the two rows whose state changes are drawn again.
  const chosen = useComputed(() => state.chosen.value === i);
  const kind = features.kinds[features.kind[i]!]!;
  const k = kindOf((features.flags[i]! & flag.pseudogene) !== 0 ? "pseudogene" : kind);
  const isPlaced = features.start[i] !== 0;
  const isHypothetical = (features.flags[i]! & flag.hypothetical) !== 0;
  return (
    <div
      role="row"
      id={`feature-${i}`}
      aria-rowindex={r + 2}
      aria-selected={chosen.value}
      class={r % 2 === 1 ? "grid-row odd" : "grid-row"}
      style={{ transform: `translateY(${top}px)` }}
      onClick={() => (state.chosen.value = i)}
    >
      <div role="gridcell" class="cell-locus">
        {features.locus[i]}
      </div>
      {sequences.length > 0 && (
        <div role="gridcell" class="cell-kind">
          <span class={`swatch kind-${isHypothetical ? "hypothetical" : k.colour}`} />
          {k.name}
        </div>
      )}
      <div role="gridcell" class="cell-gene">
        {features.gene[i]}
      </div>
      <div role="gridcell" class={isHypothetical ? "cell-product soft" : "cell-product"} title={features.product[i]}>
        {features.product[i]}
      </div>
      {sequences.length > 1 && (
        <div role="gridcell" class="cell-sequence" title={sequences[features.sequence[i]!]?.id}>
          {sequences[features.sequence[i]!]?.id}
        </div>
      )}
      {sequences.length > 0 && (
        <div role="gridcell" class="cell-place">
          {isPlaced && `${range(features.start[i]!, features.stop[i]!)} ${strand(features.strand[i]!)}`}
        </div>
      )}
      <div role="gridcell" class="cell-length">
        {features.length[i]! > 0 && (
          <>
            {count(features.length[i]!)} <span class="soft">{isPlaced ? "bp" : "aa"}</span>
          </>
        )}
      </div>
    </div>
  );
}

function Filter({ state, annotation, narrow }: { state: State; annotation: Annotation; narrow: boolean }) {
  const { sequences } = annotation;
  const s = state.selection.value;
  const kinds = annotation.counts.map(([kind]) => kind);
  return (
    <search class="filter">
      <label class="search">
        <span class="hidden">Search</span>
        <Icon name="search" />
        <input
          type="search"
          placeholder="Locus tag, gene, product, cross-reference"
          value={s.text}
          autocomplete="off"
          spellcheck={false}
          onInput={(e) => state.filter({ text: e.currentTarget.value })}
        />
      </label>
      {kinds.length > 1 && (
        <label>
          <span class="hidden">Kind</span>
          <select value={s.kind} onChange={(e) => state.filter({ kind: e.currentTarget.value })}>
            <option value="">All kinds</option>
            {kinds.sort(byKind).map((kind) => (
              <option key={kind} value={kind}>
                {kindOf(kind).plural}
              </option>
            ))}
          </select>
        </label>
      )}
      {sequences.length > 1 && (
        <label>
          <span class="hidden">Sequence</span>
          <select value={s.sequence} onChange={(e) => state.filter({ sequence: Number(e.currentTarget.value) })}>
            <option value={-1}>All sequences</option>
            {sequences.map((q, i) => (
              <option key={i} value={i}>
                {q.id}
                {q.name !== "" && q.name !== q.id && ` (${q.name})`}
              </option>
            ))}
          </select>
        </label>
      )}
      {narrow && (
        <label>
          <span class="hidden">Order</span>
          <select value={s.sort} onChange={(e) => state.order(e.currentTarget.value as SortKey, false)}>
            {columns.filter((c) => c.sort !== undefined).map((c) => (
              <option key={c.key} value={c.sort}>
                By {c.name.toLowerCase()}
              </option>
            ))}
          </select>
        </label>
      )}
      {state.filtered.value && (
        <button type="button" class="button small quiet" onClick={() => state.clearFilter()}>
          <Icon name="cross" />
          Show all
        </button>
      )}
    </search>
  );
}

/** Whether a media query matches now. */
function useMedia(query: string): boolean {
  const list = matchMedia(query);
  const on = useSignal(list.matches);
  useEffect(() => {
    const changed = () => (on.value = list.matches);
    list.addEventListener("change", changed);
    return () => list.removeEventListener("change", changed);
  }, []);
  return on.value;
}
