// The circular plot of the genome.
import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { bases, counted } from "../../../parts/format";
import type { Annotation } from "./annotation/annotation";
import { kindOf } from "./kinds";
import { place } from "./places";
import { FileLink } from "./files";
import type { GenomeMap } from "./map";
import { none, type State } from "./state";

/** CGView is loaded while the worker reads the annotation. */
const loading = import("./map");

export function Plot({ state, annotation }: { state: State; annotation: Annotation }) {
  const container = useRef<HTMLDivElement>(null);
  const map = useSignal<GenomeMap | undefined>(undefined);
  const problem = useSignal("");
  const hovered = useSignal<{ index: number; x: number; y: number }>({ index: none, x: 0, y: 0 });
  const whole = useSignal(true);
  const linear = useSignal(false);
  const drawn = useSignal(false);

  useEffect(() => {
    let closed = false;
    let made: GenomeMap | undefined;
    const resized = new ResizeObserver(() => made?.resize());
    const recoloured = new MutationObserver(() => made?.recolour());
    loading.then(
      ({ GenomeMap: Made }) => {
        if (closed) return;
        made = new Made(container.current!, annotation, {
          onChoose: (index) => state.choose(index),
          onHover: (index, x, y) => (hovered.value = { index, x, y }),
          onDrawn: () => (drawn.value = true),
          onZoom: () => {
            whole.value = made === undefined || made.isWhole;
          },
        });
        linear.value = made.format === "linear";
        map.value = made;
        resized.observe(container.current!);
        recoloured.observe(document.documentElement, { attributeFilter: ["data-scheme"] });
      },
    ).catch((error: unknown) => {
      problem.value = `The plot could not be drawn: ${error instanceof Error ? error.message : String(error)}`;
    });
    return () => {
      closed = true;
      resized.disconnect();
      recoloured.disconnect();
      made?.close();
    };
  }, []);
  useSignalEffect(() => map.value?.choose(state.chosen.value));

  const { features, sequences } = annotation;
  const keys = (e: KeyboardEvent) => {
    const act = ({
      "+": () => map.value?.zoom(2),
      "=": () => map.value?.zoom(2),
      "-": () => map.value?.zoom(0.5),
      ArrowLeft: () => map.value?.turn(false),
      ArrowRight: () => map.value?.turn(true),
      Escape: () => map.value?.whole(),
    } as Record<string, (() => void) | undefined>)[e.key];
    if (act === undefined || e.ctrlKey || e.metaKey || e.altKey) return;
    e.preventDefault();
    act();
  };
  const h = hovered.value;
  const size = sequences.reduce((sum, s) => sum + s.length, 0);
  const label = `Map of ${counted(sequences.length, "sequence")}, ${bases(size)}, with ${counted(features.count, "feature")}.
    Plus and minus zoom, the arrow keys move, Escape shows it whole. The table below has the same features.`;
  return (
    <section class="plot sheet" aria-labelledby="plot-title">
      <div class="row spread card-head">
        <h2 id="plot-title">Map</h2>
        <div class="row tools">
          <button type="button" class="button quiet small" disabled={state.chosen.value === none} onClick={() => map.value?.zoomToChosen()}>
            Zoom to the chosen
          </button>
          <button
            type="button"
            class="button quiet small"
            aria-pressed={linear.value}
            onClick={() => {
              linear.value = !linear.value;
              if (map.value !== undefined) map.value.format = linear.value ? "linear" : "circular";
            }}
          >
            Straight
          </button>
          <button type="button" class="button quiet icon" aria-label="Zoom out" title="Zoom out" onClick={() => map.value?.zoom(0.5)}>
            <span aria-hidden="true">−</span>
          </button>
          <button type="button" class="button quiet icon" aria-label="Zoom in" title="Zoom in" onClick={() => map.value?.zoom(2)}>
            <span aria-hidden="true">+</span>
          </button>
          <button type="button" class="button quiet small" disabled={whole.value} onClick={() => map.value?.whole()}>
            Whole
          </button>
        </div>
      </div>
      {problem.value !== "" && <p class="note bad">{problem.value}</p>}
      <div class="plot-canvas" aria-busy={!drawn.value} ref={container} tabIndex={0} role="application" aria-label={label} onKeyDown={keys} onPointerLeave={() => (hovered.value = { ...h, index: none })}>
        {h.index !== none && (
          <div class="tip" style={{ left: `${h.x}px`, top: `${h.y}px` }}>
            <b>{features.gene[h.index] || features.locus[h.index]}</b> {kindOf(features.kinds[features.kind[h.index]!]!).name}
            <br />
            {features.product[h.index]}
            <br />
            <span class="soft">{place(features, sequences, h.index)}</span>
          </div>
        )}
      </div>
      <div class="row spread plot-foot small">
        <ul class="legend" aria-label="Rings, from the outside">
          <li>
            <span class="swatch kind-trna" />
            RNA and other features
          </li>
          <li>
            <span class="swatch kind-cds" />
            CDS, forward outside and reverse inside
          </li>
          <li>
            <span class="swatch map-content" />
            GC content
          </li>
          <li>
            <span class="swatch map-skew" />
            GC skew
          </li>
        </ul>
        {(state.links.get("circular_plot_svg") ?? state.links.get("circular_plot_png")) !== undefined && (
          <span class="soft">
            Bakta’s own plot: <FileLink links={state.links} file="circular_plot_svg" text="SVG" /> <FileLink links={state.links} file="circular_plot_png" text="PNG" />
          </span>
        )}
      </div>
    </section>
  );
}

