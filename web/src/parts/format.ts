// Numbers, sizes and times as people read them.
const whole = new Intl.NumberFormat("en");

export const count = (n: number) => whole.format(n);

/** "1 genome", "3 genomes". */
export const counted = (n: number, one: string, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

/**
 * A number with so many significant digits, in the first unit in which it is below 1000. Each unit is a thousand of the one before. It is
 * rounded first: 999.7 kB are 1.0 MB. toPrecision alone would change to exponents, as in 1.0e+2 kB.
 */
function scaled(n: number, digits: number, units: readonly string[]): string {
  for (const [i, unit] of units.entries()) {
    const value = n / 1000 ** (i + 1);
    let decimals = digits - 1;
    while (decimals > 0 && Number(value.toFixed(decimals)) >= 10 ** (digits - decimals)) decimals--;
    const rounded = Number(value.toFixed(decimals));
    if (rounded >= 1000 && i < units.length - 1) continue;
    return `${rounded >= 1000 ? count(rounded) : value.toFixed(decimals)} ${unit}`;
  }
  return "";
}

/** Bases: "4,642 bp", "4.64 Mbp". */
export const bases = (n: number, unit = "bp") => (n < 10_000 ? `${count(n)} ${unit}` : scaled(n, 3, [`k${unit}`, `M${unit}`]));

/** Bytes of a file: "1.4 MB". */
export const bytes = (n: number) => (n < 1000 ? `${n} B` : scaled(n, 2, ["kB", "MB", "GB"]));

/** The largest file that is taken. Servers set it in MiB, so that this is exact. */
export const limit = (n: number) => `${count(Math.floor(n / 2 ** 20))} MiB`;

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
