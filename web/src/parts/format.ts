// Numbers, sizes and times as people read them.
const whole = new Intl.NumberFormat("en");

export const count = (n: number) => whole.format(n);

/** "1 genome", "3 genomes". */
export const counted = (n: number, one: string, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

/** Bases: "4,641,652 bp", "4.64 Mbp". */
export function bases(n: number, unit = "bp"): string {
  if (n < 10_000) return `${count(n)} ${unit}`;
  if (n < 1_000_000) return `${(n / 1e3).toPrecision(3)} k${unit}`;
  return `${(n / 1e6).toPrecision(3)} M${unit}`;
}

/** Bytes of a file: "1.4 MB". */
export function bytes(n: number): string {
  if (n < 1000) return `${n} B`;
  for (const [size, unit] of [[1e3, "kB"], [1e6, "MB"], [1e9, "GB"]] as const) {
    if (n < size * 1000 || unit === "GB") return `${(n / size).toPrecision(n / size < 100 ? 2 : 3)} ${unit}`;
  }
  return "";
}

/** A duration in ms: "42 s", "12 min", "3 h 05 min", "2 d 4 h". */
export function duration(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s} s`;
  const min = Math.floor(s / 60);
  if (min < 10) return `${min} min ${String(s % 60).padStart(2, "0")} s`;
  if (min < 60) return `${min} min`;
  const h = Math.floor(min / 60);
  if (h < 24) return `${h} h ${String(min % 60).padStart(2, "0")} min`;
  return `${Math.floor(h / 24)} d ${h % 24} h`;
}

/** A duration that is an estimate: "42 s", "9 min", "3 h 05 min". */
export const roughly = (ms: number) => (ms < 120_000 || ms >= 600_000 ? duration(ms) : `${Math.round(ms / 60_000)} min`);

const sameDay = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const otherDay = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

/** A time: "14:05", or with the day if that is another one. */
export function time(at: Date, now: Date = new Date()): string {
  return (at.toDateString() === now.toDateString() ? sameDay : otherDay).format(at);
}

/** A percentage: "50.6 %". */
export const percent = (part: number, of: number) => (of === 0 ? "–" : `${((100 * part) / of).toFixed(1)} %`);

/** A name of a field as a word for people: "min_contig_length" is "Min contig length". */
export function titled(name: string): string {
  const words = name.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
