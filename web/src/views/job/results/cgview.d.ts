// The part of CGView.js 1.8.2 that the page uses. The package has no types of its own.
declare module "cgview" {
  export interface CGFeature {
    readonly mapStart: number;
    readonly mapStop: number;
    readonly length: number;
    name: string;
  }
  interface Moving {
    /** How far the circle is moved out of the middle, in pixels. */
    bbOffset?: number;
    duration?: number;
    callback?: () => void;
  }
  interface Coloured {
    update(attributes: { color: string }): void;
  }
  interface Highlight {
    popovers: boolean;
  }
  export interface MouseEvent {
    canvasX: number;
    canvasY: number;
    elementType?: string;
    element?: CGFeature | { feature: CGFeature };
  }
  export interface CGViewer {
    readonly width: number;
    readonly height: number;
    readonly zoomFactor: number;
    readonly format: "circular" | "linear";
    readonly io: { loadJSON(json: object): void };
    readonly sequence: { readonly length: number } & Coloured;
    readonly settings: { update(attributes: { format?: "circular" | "linear"; backgroundColor?: string }): void };
    readonly annotation: { readonly visible: boolean; update(attributes: { visible?: boolean; color?: string }): void; refresh(): void; refreshLabelWidths(): void };
    readonly legend: { items(name: string): { update(attributes: { decoration?: string; swatchColor?: string }): void } | undefined };
    readonly ruler: Coloured;
    readonly dividers: { readonly track: Coloured };
    readonly backbone: { update(attributes: { color: string; colorAlternate: string }): void; maxZoomFactor(): number; readonly centerOffset: number; readonly adjustedCenterOffset: number };
    readonly highlighter: { visible: boolean } & Record<"feature" | "plot" | "contig" | "backbone", Highlight>;
    readonly layout: {
      readonly centerInsideOffset: number;
      readonly centerOutsideOffset: number;
      zoomFactorForLength(length: number): number;
      drawMapWithoutSlots(fast?: boolean): void;
    };
    readonly canvas: {
      cursor: string;
      bpForCanvasCenter(): number;
      visibleRangeForCenterOffset(offset: number): { containsMapBp(bp: number): boolean } | undefined;
      drawElement(
        layer: string, start: number, stop: number, centerOffset: number, color: string, width: number, decoration: string, shading: boolean, minArcLength: number,
      ): void;
    };
    /** d3's zoom behaviour. CGView has no option for what starts a zoom. */
    readonly _zoom: { filter(accept: (event: Event) => boolean): void };
    features(): CGFeature[];
    on<E>(event: string, act: (e: E) => void): void;
    off(event: string): void;
    clear(layer: string): void;
    fillBackground(): void;
    drawFull(): void;
    stopAnimate(): void;
    resize(width: number, height: number): void;
    zoomTo(bp: number, zoomFactor: number, options: Moving): void;
    moveTo(start: number, stop: number | undefined, options: Moving): void;
    moveLeft(factor: number, options: Moving): void;
    moveRight(factor: number, options: Moving): void;
  }
  export const Viewer: new (containerID: string, options: object) => CGViewer;
}
