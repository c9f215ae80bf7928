// The icons: strokes on a grid of 24, in the colour of the text.
const paths = {
  check: "M5 12.5l4.5 4.5L19 7.5",
  cross: "M6 6l12 12M18 6L6 18",
  alert: "M12 7v6.5M12 17v.01M12 3l10 18H2z",
  clock: "M12 7v5l3.500 2M12 3a9 9 0 1 1 0 18a9 9 0 0 1 0-18z",
  circle: "M12 4a8 8 0 1 1 0 16a8 8 0 0 1 0-16z",
  spin: "M12 3a9 9 0 1 1-8.500 6",
  sun: "M12 8a4 4 0 1 1 0 8a4 4 0 0 1 0-8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.400 1.400M17.600 17.600L19 19M19 5l-1.400 1.400M6.400 17.600L5 19",
  moon: "M20 14.500A8.500 8.500 0 0 1 9.500 4a8.500 8.500 0 1 0 10.500 10.500z",
  auto: "M12 4a8 8 0 1 0 0 16zM12 4a8 8 0 0 1 0 16",
  file: "M6 3h8l4 4v14H6zM14 3v4h4",
  table: "M4 5h16v14H4zM4 10h16M4 14.500h16M10 10v9",
  up: "M12 19V5M5.500 11.500L12 5l6.500 6.500",
  down: "M12 5v14M5.500 12.500L12 19l6.500-6.500",
  right: "M9 5l7 7-7 7",
  bin: "M4 7h16M9 7V4h6v3M6.500 7l1 13h9l1-13M10 11v6M14 11v6",
  share: "M10 14a4 4 0 0 0 6 .5l3-3a4 4 0 0 0-5.700-5.700l-1 1M14 10a4 4 0 0 0-6-.5l-3 3a4 4 0 0 0 5.700 5.700l1-1",
  again: "M20 12a8 8 0 1 1-2.500-5.800M20 3v4.500h-4.500",
  search: "M11 4a7 7 0 1 1 0 14a7 7 0 0 1 0-14zM16 16l5 5",
  stop: "M7 7h10v10H7z",
} as const;

export type IconName = keyof typeof paths;

/** An icon beside a text that says the same, which is why screen readers pass over it. */
export function Icon({ name }: { name: IconName }) {
  return (
    <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  );
}

/** The sign of the page: a plasmid with its genes. */
export function Sign() {
  return (
    <svg viewBox="0 0 32 32" fill="none" stroke="var(--act)" stroke-width="3" stroke-linecap="round" aria-hidden="true">
      <path d="M16 3a13 13 0 0 1 12.600 9.800M28.900 17.800A13 13 0 0 1 9 27M5.400 23.400A13 13 0 0 1 11 4" />
      <path stroke="var(--warn)" d="M16 9.500a6.500 6.500 0 0 1 6.300 5M21.500 19.500A6.500 6.500 0 0 1 9.600 17.500" />
    </svg>
  );
}
