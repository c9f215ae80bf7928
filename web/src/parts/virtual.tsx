// A list of rows of one height of which only those in sight are in the page: a thousand rows cost as much as twenty.
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
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

/** The rows scroll with the window. */
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
