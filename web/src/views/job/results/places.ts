// Where features are, in words.
import { count } from "../../../parts/format";
import type { Columns, Sequence } from "./annotation/annotation";

/** Where a feature is, in words: "contig_1: 26–724". Over the origin it goes on at 1. */
export function place(features: Columns, sequences: Sequence[], i: number): string {
  const [start, stop] = [features.start[i]!, features.stop[i]!];
  if (start === 0 || stop === 0) return "";
  const id = sequences[features.sequence[i]!]?.id ?? "unknown sequence";
  return `${id}: ${range(start, stop)}`;
}

export const range = (start: number, stop: number): string =>
  start <= stop ? `${count(start)}–${count(stop)}` : `${count(start)}–end, 1–${count(stop)}`;

export const strand = (s: number): string => (s === 1 ? "+" : s === -1 ? "−" : "");
