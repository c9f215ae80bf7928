// The circular map, drawn by CGView.js from an annotation.
//
// CGView adds listeners to the document that it never removes, so there is one map for as long as the page is open; it is filled anew
// for each job. What CGView would show by itself as HTML (popovers with names of features) is switched off: names come from files of
// strangers, and it does not escape them.
import { Viewer } from "cgview";
import type { CGFeature, CGViewer, MouseEvent as MapEvent } from "cgview";
import { flag, type Annotation } from "./annotation/annotation";
import { kindOf, colours } from "./kinds";
import { none } from "./state";

let host: HTMLDivElement | undefined;
let viewer: CGViewer | undefined;

/** Which features a browser can tell apart as one ring of arrows: coding sequences. All others have a ring of their own. */
const coding = new Set(["cds", "sorf"]);

/** The colours of what is drawn as arrows near by. */
const arrows = ["cds", "hypothetical", "pseudogene", "sorf"];

/** The colours of all that CGView's legend has. */
const drawnIn = [...colours, "content-high", "content-low", "skew-high", "skew-low"];

/** So many bases in sight, names and arrows can be told apart. */
const near = 60_000;

export interface MapOptions {
  onChoose: (index: number) => void;
  /** The pointer is over something: its feature, and where on the map. `none` if it left. */
  onHover: (index: number, x: number, y: number) => void;
  onZoom: () => void;
  /** The map is on the screen. */
  onDrawn: () => void;
}

export class GenomeMap {
  readonly #viewer: CGViewer;
  readonly #host: HTMLDivElement;
  readonly #annotation: Annotation;
  /** The features of the map by that of the annotation: one, or two for one over the origin of one of several sequences. */
  #drawn = new Map<number, CGFeature[]>();
  #indexes = new Map<CGFeature, number>();
  #chosen = none;
  readonly #onDrawn: () => void;
  #colours: Record<string, string> = {};

  constructor(container: HTMLElement, annotation: Annotation, options: MapOptions) {
    if (host === undefined) {
      host = document.createElement("div");
      host.id = "genome-map";
    }
    this.#host = host;
    container.prepend(host);
    this.#annotation = annotation;
    this.#onDrawn = options.onDrawn;
    const { width, height } = this.#size();
    if (viewer === undefined) {
      viewer = new Viewer("genome-map", { width, height, allowDragAndDrop: false, centerLine: { visible: false } });
      keepScrolling(viewer, host);
      const draw = viewer.layout.drawMapWithoutSlots.bind(viewer.layout);
      viewer.layout.drawMapWithoutSlots = (fast) => {
        draw(fast);
        onDraw();
      };
    } else {
      viewer.resize(width, height);
    }
    this.#viewer = viewer;
    onDraw = () => this.#mark();
    viewer.off(".page");
    viewer.on("click.page", (e: MapEvent) => {
      const index = this.#at(e);
      if (index !== none) options.onChoose(index);
    });
    viewer.on("mousemove.page", (e: MapEvent) => {
      this.#mark();
      const index = this.#at(e);
      viewer!.canvas.cursor = index === none ? "" : "pointer";
      options.onHover(index, e.canvasX, e.canvasY);
    });
    viewer.on("zoom.page", options.onZoom);
    viewer.on("zoom-end.page", () => {
      options.onZoom();
      // CGView itself draws when a wheel or a finger has zoomed.
      if (this.#isNear !== viewer!.sequence.length / viewer!.zoomFactor < near) this.#settled();
    });
    this.#fill();
  }

  #fill(): void {
    this.#colours = readColours(this.#host);
    const { features, sequences } = this.#annotation;
    const indexes: number[] = [];
    const drawn: object[] = [];
    const single = sequences.length === 1;
    const add = (i: number, start: number, stop: number) => {
      const kind = features.kinds[features.kind[i]!]!;
      indexes.push(i);
      drawn.push({
        name: "", // names take long to measure: they come when they can be read
        type: kind,
        source: coding.has(kind) ? "coding" : "other",
        contig: `s${features.sequence[i]}`,
        start,
        stop,
        strand: features.strand[i] === -1 ? -1 : 1,
        legend: this.#colourOf(i),
      });
    };
    for (let i = 0; i < features.count; i++) {
      const place = features.sequence[i]!;
      const [start, stop] = [features.start[i]!, features.stop[i]!];
      const length = sequences[place]?.length ?? 0;
      if (start === 0 || stop === 0 || start > length || stop > length) continue;
      if (start <= stop || single) add(i, start, stop);
      else {
        add(i, start, length);
        add(i, 1, stop);
      }
    }
    this.#viewer.io.loadJSON({ cgview: this.#document(drawn) });
    this.#viewer.highlighter.visible = false;
    for (const part of ["feature", "plot", "contig", "backbone"] as const) this.#viewer.highlighter[part].popovers = false;
    this.#drawn = new Map();
    this.#indexes = new Map();
    this.#viewer.features().forEach((f, n) => {
      const i = indexes[n]!;
      this.#indexes.set(f, i);
      this.#drawn.set(i, [...(this.#drawn.get(i) ?? []), f]);
    });
    this.#viewer.stopAnimate(); // loadJSON is about to draw, too
    this.whole(0);
  }

  /** Takes the colours of the present scheme. */
  recolour(): void {
    const c = (this.#colours = readColours(this.#host));
    const v = this.#viewer;
    v.settings.update({ backgroundColor: c["sheet"]! });
    v.sequence.update({ color: c["ink"]! });
    v.backbone.update({ color: c["edge"]!, colorAlternate: c["line"]! });
    v.ruler.update({ color: c["soft"]! });
    v.annotation.update({ color: c["ink"]! });
    v.dividers.track.update({ color: c["line"]! });
    for (const name of drawnIn) v.legend.items(name)?.update({ swatchColor: c[name]! });
    v.fillBackground();
    v.drawFull();
  }

  #colourOf(i: number): string {
    const { features } = this.#annotation;
    if ((features.flags[i]! & flag.pseudogene) !== 0) return "pseudogene";
    if ((features.flags[i]! & flag.hypothetical) !== 0) return "hypothetical";
    return kindOf(features.kinds[features.kind[i]!]!).colour;
  }

  #document(features: object[]): object {
    const { sequences, composition } = this.#annotation;
    const c = this.#colours;
    const positions = Array.from(composition.starts);
    const content = Array.from(composition.content);
    const skew = Array.from(composition.skew);
    const mean = this.#annotation.stats.gc ?? content.reduce((sum, x) => sum + x, 0) / Math.max(1, content.length);
    const far = Math.max(0.05, ...content.map((x) => Math.abs(x - mean)));
    const steep = Math.max(0.05, ...skew.map(Math.abs));
    const font = "sans-serif, plain, 12";
    return {
      version: "1.7.0",
      name: "",
      settings: {
        format: this.#viewer.format,
        backgroundColor: c["sheet"],
        showShading: false,
        arrowHeadLength: 0.3,
        minArcLength: 1,
        initialMapThicknessProportion: 0.13,
        maxMapThicknessProportion: 0.5,
      },
      sequence: {
        font,
        color: c["ink"],
        contigs: sequences.map((s, i) => ({ name: `s${i}`, orientation: "+", length: Math.max(1, s.length) })),
      },
      backbone: { color: c["edge"], colorAlternate: c["line"], thickness: sequences.length > 1 ? 5 : 3, decoration: "arc" },
      ruler: { font, color: c["soft"], tickCount: this.#viewer.width < 500 ? 5 : 8 },
      dividers: { track: { color: c["line"], thickness: 1, spacing: 1 }, slot: { visible: false, spacing: 1 } },
      annotation: { visible: false, font, color: c["ink"], onlyDrawFavorites: false, labelPlacement: "default" },
      legend: {
        visible: false,
        defaultMinArcLength: 1,
        items: drawnIn.map((name) => ({
          name, swatchColor: c[name], decoration: "arc", minArcLength: arrows.includes(name) ? 0.5 : 2,
        })),
      },
      features,
      plots: [
        { name: "GC content", source: "gc-content", type: "line", positions, scores: content, baseline: mean, axisMin: mean - far, axisMax: mean + far,
          legendPositive: "content-high", legendNegative: "content-low" },
        { name: "GC skew", source: "gc-skew", type: "line", positions, scores: skew, baseline: 0, axisMin: -steep, axisMax: steep,
          legendPositive: "skew-high", legendNegative: "skew-low" },
      ],
      tracks: [
        { name: "Coding sequences", separateFeaturesBy: "strand", position: "around", dataType: "feature", dataMethod: "source", dataKeys: "coding", thicknessRatio: 1.2 },
        { name: "Other features", separateFeaturesBy: "none", position: "outside", dataType: "feature", dataMethod: "source", dataKeys: "other", thicknessRatio: 0.8 },
        ...(positions.length > 1
          ? [
              { name: "GC content", position: "inside", dataType: "plot", dataMethod: "source", dataKeys: "gc-content", thicknessRatio: 1.6 },
              { name: "GC skew", position: "inside", dataType: "plot", dataMethod: "source", dataKeys: "gc-skew", thicknessRatio: 1.6 },
            ]
          : []),
      ],
    };
  }

  #at(e: MapEvent): number {
    const element = e.element;
    const feature = e.elementType === "feature" ? (element as CGFeature) : e.elementType === "label" ? (element as { feature: CGFeature }).feature : undefined;
    return feature === undefined ? none : (this.#indexes.get(feature) ?? none);
  }

  /** Chooses a feature: marks it, and brings it into sight if only a part of the map is. */
  choose(index: number): void {
    this.#chosen = index;
    const feature = this.#drawn.get(index)?.[0];
    if (feature !== undefined && !this.isWhole && !this.#isSeen(feature)) {
      this.#viewer.moveTo(feature.mapStart + Math.floor(feature.length / 2), undefined, { duration: this.#duration(), callback: () => this.#settled() });
      return;
    }
    this.#viewer.clear("ui");
    this.#mark();
  }

  /** Zooms in on the chosen feature and its neighbours. */
  zoomToChosen(): void {
    const feature = this.#drawn.get(this.#chosen)?.[0];
    if (feature === undefined) return;
    const size = this.#viewer.sequence.length;
    const around = Math.min(size, Math.max(feature.length * 8, 5000));
    const zoom = Math.min(this.#viewer.backbone.maxZoomFactor(), Math.max(1, this.#viewer.layout.zoomFactorForLength(around)));
    this.#viewer.zoomTo(feature.mapStart + Math.floor(feature.length / 2), zoom, { duration: this.#duration(), callback: () => this.#settled() });
  }

  #isSeen(feature: CGFeature): boolean {
    return this.#viewer.canvas.visibleRangeForCenterOffset(this.#viewer.backbone.adjustedCenterOffset)?.containsMapBp(feature.mapStart) === true;
  }

  /** Draws a band across all rings where the chosen feature is. */
  #mark(): void {
    const features = this.#drawn.get(this.#chosen);
    if (features === undefined) return;
    const { layout, canvas } = this.#viewer;
    const [inside, outside] = [layout.centerInsideOffset, layout.centerOutsideOffset];
    for (const f of features) {
      const width = Math.abs(outside - inside) + 10;
      canvas.drawElement("ui", f.mapStart, f.mapStop, (inside + outside) / 2, this.#colours["mark"]!, width, "arc", false, 5);
    }
  }

  zoom(by: number): void {
    const max = this.#viewer.backbone.maxZoomFactor();
    const zoom = Math.max(1, Math.min(max, this.#viewer.zoomFactor * by));
    this.#viewer.zoomTo(this.#viewer.canvas.bpForCanvasCenter(), zoom, { duration: this.#duration(), callback: () => this.#settled() });
  }

  turn(right: boolean): void {
    const options = { duration: this.#duration(), callback: () => this.#settled() };
    if (right) this.#viewer.moveRight(0.4, options);
    else this.#viewer.moveLeft(0.4, options);
  }

  whole(duration = this.#duration()): void {
    const zoom = this.#wholeZoom;
    const bbOffset = this.format === "circular" ? this.#viewer.backbone.centerOffset * zoom : 0;
    const bp = this.format === "circular" ? 1 : Math.ceil(this.#viewer.sequence.length / 2);
    this.#viewer.zoomTo(bp, zoom, { duration, bbOffset, callback: () => this.#settled() });
  }

  get isWhole(): boolean {
    return this.#viewer.zoomFactor <= this.#wholeZoom * 1.01;
  }

  /** CGView leaves room for names around the circle. Where they are not drawn, the circle may fill the map. */
  get #wholeZoom(): number {
    if (this.format === "linear" || this.#viewer.sequence.length < 1.5 * near) return 1;
    const size = Math.min(this.#viewer.width, this.#viewer.height);
    const radius = this.#viewer.backbone.centerOffset + 0.052 * size; // with the rings outside of the backbone
    return Math.max(1, Math.min(2, (size / 2 - 16) / radius));
  }

  get format(): "circular" | "linear" {
    return this.#viewer.format;
  }

  set format(format: "circular" | "linear") {
    this.#viewer.settings.update({ format });
    this.whole(0);
  }

  #named = false;
  #isNear = false;

  /** Near by, where there is room, there are names and arrows. */
  #settled(): void {
    const isNear = this.#viewer.sequence.length / this.#viewer.zoomFactor < near;
    if (isNear !== this.#isNear) {
      this.#isNear = isNear;
      const { features } = this.#annotation;
      if (isNear && !this.#named) {
        for (const [f, i] of this.#indexes) f.name = features.gene[i] || features.locus[i]!;
        this.#named = true;
      }
      for (const name of arrows) this.#viewer.legend.items(name)?.update({ decoration: isNear ? "arrow" : "arc" });
      this.#viewer.annotation.update({ visible: isNear });
      if (isNear) {
        this.#viewer.annotation.refreshLabelWidths();
        this.#viewer.annotation.refresh();
      }
    }
    this.#viewer.drawFull();
    this.#onDrawn();
  }

  resize(): void {
    const { width, height } = this.#size();
    if (width === this.#viewer.width && height === this.#viewer.height) return;
    const { isWhole } = this;
    this.#viewer.resize(width, height);
    if (isWhole) this.whole(0);
  }

  #size(): { width: number; height: number } {
    const width = Math.max(240, Math.floor(this.#host.parentElement?.clientWidth ?? 600));
    return { width, height: Math.min(width, 560) };
  }

  #duration(): number {
    return matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 350;
  }

  close(): void {
    onDraw = () => {};
    this.#viewer.off(".page");
    this.#host.remove();
  }
}

/** What is to be done when the map was drawn: it concerns the job that is shown. */
let onDraw = () => {};

/** The wheel and one finger scroll the page, unless the map has the focus. With Ctrl, and with two fingers, they always zoom. */
function keepScrolling(viewer: CGViewer, host: HTMLElement): void {
  const active = () => host.parentElement?.contains(document.activeElement) === true && document.activeElement !== document.body;
  viewer._zoom.filter((event: Event) => {
    if (event instanceof WheelEvent) return event.ctrlKey || event.metaKey || active();
    if (typeof TouchEvent !== "undefined" && event instanceof TouchEvent) return event.touches.length > 1 || active();
    return (event as MouseEvent).button === 0;
  });
}

/** Reads the colours of results.css in the present scheme. */
function readColours(element: HTMLElement): Record<string, string> {
  const style = getComputedStyle(element);
  const all: Record<string, string> = {};
  const take = (name: string, variable: string) => {
    all[name] = style.getPropertyValue(variable).trim() || "#888888";
  };
  for (const name of colours) take(name, `--kind-${name}`);
  for (const name of ["content-high", "content-low", "skew-high", "skew-low", "mark"]) take(name, `--map-${name}`);
  for (const name of ["ink", "soft", "edge", "line", "sheet"]) take(name, `--${name}`);
  return all;
}
