// Lists of which only the rows in sight are in the page: a thousand rows cost as much as twenty.
import { useSignal } from "@preact/signals";
import type { ComponentChildren, VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";

interface Props<T> {
  items: readonly T[];
  /** Height of a row in px. */
  height: number;
  keyOf: (item: T) => string;
  row: (item: T, at: number) => ComponentChildren;
}

/** How many rows beyond those in sight are there already, so that fast scrolling shows no gaps. */
const spare = 8;

/** Rows of one height, which scroll with the window. */
export function VirtualRows<T>({ items, height, keyOf, row }: Props<T>) {
  const frame = useRef<HTMLDivElement>(null);
  const range = useSignal<readonly [number, number]>([0, 40]);
  const total = items.length;

  useEffect(() => {
    let asked = 0;
    const look = () => {
      asked = 0;
      const top = frame.current?.getBoundingClientRect().top ?? 0;
      const first = Math.max(0, Math.floor(-top / height) - spare);
      const last = Math.min(total, Math.ceil((innerHeight - top) / height) + spare);
      const [from, to] = range.peek();
      if (from !== first || to !== last) range.value = [first, Math.max(first, last)];
    };
    const soon = () => {
      asked ||= requestAnimationFrame(look);
    };
    look();
    addEventListener("scroll", soon, { passive: true });
    addEventListener("resize", soon, { passive: true });
    return () => {
      cancelAnimationFrame(asked);
      removeEventListener("scroll", soon);
      removeEventListener("resize", soon);
    };
  }, [total, height]);

  const [first, last] = range.value;
  return (
    <div ref={frame} class="virtual" role="rowgroup" style={{ height: `${total * height}px` }}>
      {items.slice(first, last).map((item, i) => (
        <div key={keyOf(item)} class="virtual-row" role="row" aria-rowindex={first + i + 2} style={{ height: `${height}px`, transform: `translateY(${(first + i) * height}px)` }}>
          {row(item, first + i)}
        </div>
      ))}
    </div>
  );
}

interface ListProps<T> {
  items: readonly T[];
  /** The height of a row in px, as long as none was in sight. Later, that of a row that was not in sight is the mean of those that were. */
  usual: number;
  keyOf: (item: T) => number;
  /** A row: an element that is a list item. */
  row: (item: T) => VNode;
  class: string;
  label: string;
}

/**
 * Rows of any height, which scroll with the window. Those out of sight are two empty blocks, as high as the rows were when they were seen.
 * The rows are in the flow of the page, so a browser that anchors scrolling keeps the place when a row above it changes its height.
 */
export function VirtualList<T>({ items, usual, keyOf, row, class: name, label }: ListProps<T>) {
  const frame = useRef<HTMLDivElement>(null);
  const heights = useRef(new Map<number, number>());
  const range = useSignal({ first: 0, last: 40, above: 0, below: 0 });
  const shown = useRef(items);
  shown.current = items;

  const mean = useRef(usual);
  const height = (item: T) => heights.current.get(keyOf(item)) ?? mean.current;
  useEffect(() => {
    let asked = 0;
    const look = () => {
      asked = 0;
      const list = shown.current;
      const top = frame.current?.getBoundingClientRect().top ?? 0;
      let at = top;
      let first = 0;
      while (first < list.length && at + height(list[first]!) < 0) at += height(list[first++]!);
      let last = first;
      while (last < list.length && at < innerHeight) at += height(list[last++]!);
      first = Math.max(0, first - spare);
      last = Math.min(list.length, last + spare);
      const sum = (from: number, to: number) => Math.round(list.slice(from, to).reduce((all, item) => all + height(item), 0));
      // The blocks have to be of the heights by which the place in the list was found.
      const next = { first, last, above: sum(0, first), below: sum(last, list.length) };
      const before = range.peek();
      if (before.first !== first || before.last !== last || before.above !== next.above || before.below !== next.below) range.value = next;
    };
    const soon = () => {
      asked ||= requestAnimationFrame(look);
    };
    const sizes = new ResizeObserver((entries) => {
      for (const { target } of entries) {
        const key = Number((target as HTMLElement).dataset["key"]);
        if (target.isConnected) heights.current.set(key, (target as HTMLElement).offsetHeight);
      }
      mean.current = [...heights.current.values()].reduce((a, b) => a + b, 0) / Math.max(1, heights.current.size);
      soon();
    });
    // Rows that come into the page are measured, and those that leave it no longer.
    const observe = () => {
      for (const child of frame.current?.querySelectorAll(":scope > [data-key]") ?? []) sizes.observe(child);
    };
    const changes = new MutationObserver((records) => {
      for (const record of records) for (const node of record.removedNodes) if (node instanceof Element) sizes.unobserve(node);
      observe();
      soon(); // what is above may have moved the list
    });
    observe();
    if (frame.current !== null) changes.observe(frame.current, { childList: true });
    look();
    addEventListener("scroll", soon, { passive: true });
    addEventListener("resize", soon, { passive: true });
    return () => {
      cancelAnimationFrame(asked);
      sizes.disconnect();
      changes.disconnect();
      removeEventListener("scroll", soon);
      removeEventListener("resize", soon);
    };
  }, [items.length]);

  const { above, below } = range.value;
  const first = Math.min(range.value.first, items.length);
  const last = Math.min(range.value.last, items.length);
  return (
    <div ref={frame} class={name} role="list" aria-label={label}>
      {first > 0 && <div key="above" style={{ height: `${above}px` }} />}
      {items.slice(first, last).map(row)}
      {last < items.length && <div key="below" style={{ height: `${below}px` }} />}
    </div>
  );
}
