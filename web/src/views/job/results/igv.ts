// igv.js, set up for a bacterial genome in memory. It asks no other host for anything: it gets the files themselves, and no list of
// genomes, no search service and no account of others.
import igv from "igv";
import { flag, type Annotation } from "./annotation/annotation";
import { colours, kindOf } from "./kinds";
import { none } from "./state";

/** What the page uses of igv.js 3.8. Its own types lack some of it. */
interface IGVBrowser {
  on(event: "trackclick", act: (track: unknown, data: unknown, place: unknown, clicked: Attributes[] | undefined) => boolean): void;
  search(locus: string): Promise<unknown>;
  clearROIs(): void;
  loadROI(config: object): Promise<void>;
}

interface Attributes {
  getAttributeValue?(name: string): string | undefined;
  type?: string;
}

/** Bases that are shown on each side of a chosen feature. */
const around = 2500;

export class GenomeBrowser {
  readonly #browser: IGVBrowser;
  readonly #annotation: Annotation;

  private constructor(browser: IGVBrowser, annotation: Annotation) {
    this.#browser = browser;
    this.#annotation = annotation;
  }

  static async open(
    container: HTMLElement, annotation: Annotation, genome: File, features: File, onChoose: (index: number) => void,
  ): Promise<GenomeBrowser> {
    const style = getComputedStyle(container);
    const palette = Object.fromEntries(colours.map((name) => [name, style.getPropertyValue(`--kind-${name}`).trim()]));
    const indexes = new Map(annotation.features.locus.map((locus, i) => [locus, i]));
    const indexOf = (f: Attributes): number => indexes.get(f.getAttributeValue?.("locus_tag") ?? f.getAttributeValue?.("ID") ?? "") ?? none;
    const colour = (f: Attributes): string => {
      const i = indexOf(f);
      if (i === none) return palette["other"]!;
      const { flags, kinds, kind } = annotation.features;
      if ((flags[i]! & flag.pseudogene) !== 0) return palette["pseudogene"]!;
      if ((flags[i]! & flag.hypothetical) !== 0) return palette["hypothetical"]!;
      return palette[kindOf(kinds[kind[i]!]!).colour]!;
    };
    const options = {
      loadDefaultGenomes: false,
      genomeList: [],
      reference: { id: "genome", name: "", fastaURL: genome, indexed: false, wholeGenomeView: false },
      locus: first(annotation),
      showAllChromosomes: true,
      showIdeogram: false,
      showSampleNames: false,
      showSampleNameButton: false,
      showROITableButton: false,
      showMultiSelectButton: false,
      showTrackLabels: false,
      showTrackLabelButton: false,
      showSVGButton: false,
      showCursorTrackingGuideButton: false,
      showCenterGuideButton: false,
      search: false,
      tracks: [
        { type: "sequence", order: -1, removable: false },
        {
          name: "Features", type: "annotation", format: "gff3", url: features, indexed: false, displayMode: "EXPANDED", height: 220, autoHeight: true,
          removable: false, searchable: false, nameField: "gene", filterTypes: ["region", "gene", "chromosome"], color: colour,
        },
      ],
    };
    const browser = (await igv.createBrowser(container, options as never)) as unknown as IGVBrowser;
    tidy(container);
    browser.on("trackclick", (_track, _data, _place, clicked) => {
      const index = (clicked ?? []).map(indexOf).find((i) => i !== none);
      if (index !== undefined) onChoose(index);
      return false; // instead of a popover of its own
    });
    return new GenomeBrowser(browser, annotation);
  }

  #wanted = none;
  #isMoving = false;

  /** Shows a feature, and marks it. igv is asked one thing after the other, so that the last feature is the one that stays. */
  show(index: number): void {
    this.#wanted = index;
    if (!this.#isMoving) void this.#move();
  }

  async #move(): Promise<void> {
    this.#isMoving = true;
    let shown = none;
    try {
      while (shown !== this.#wanted) {
        shown = this.#wanted;
        await this.#goTo(shown);
      }
    } finally {
      this.#isMoving = false;
    }
  }

  async #goTo(index: number): Promise<void> {
    const { features, sequences } = this.#annotation;
    const sequence = sequences[features.sequence[index]!];
    if (sequence === undefined || features.start[index] === 0) return;
    const [start, stop] = [features.start[index]!, features.stop[index]!];
    // A feature over the origin is shown by its part at the end of the sequence.
    const end = start <= stop ? stop : sequence.length;
    const from = Math.max(1, start - around);
    const to = Math.min(sequence.length, end + around);
    await this.#browser.search(`${sequence.id}:${from}-${to}`);
    const parts = start <= stop ? [[start, stop]] : [[start, sequence.length], [1, stop]];
    this.#browser.clearROIs();
    await this.#browser.loadROI({
      name: "chosen", color: "rgba(226, 146, 20, 0.28)", features: parts.map(([a, b]) => ({ chr: sequence.id, start: a! - 1, end: b! })),
    });
  }

  close(): void {
    igv.removeBrowser(this.#browser as never);
  }
}

/** Leaves out igv's buttons for many tracks and regions, and its sign, which leads to another site, and names its fields. It has no options for these. */
function tidy(container: HTMLElement): void {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(".igv-navbar-toggle-button-container, .igv-logo, .igv-current-genome { display: none !important; }");
  container.shadowRoot?.adoptedStyleSheets.push(sheet);
  // Names for screen readers.
  container.shadowRoot?.querySelector("select")?.setAttribute("aria-label", "Sequence");
  container.shadowRoot?.querySelector("input")?.setAttribute("aria-label", "Place");
}

/** At first, the beginning of the first sequence. */
function first(annotation: Annotation): string {
  const s = annotation.sequences[0]!;
  return `${s.id}:1-${Math.max(1, Math.min(s.length, 20_000))}`;
}
