// The genome browser: igv.js on the genome and its annotation. Its code and the two files are loaded when it is opened.
//
// igv.js and not JBrowse 2: a third of the weight (432 kB against 1,241 kB compressed, without the React that JBrowse needs beside it),
// and both run under the page's Content-Security-Policy.
import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Icon } from "../../../parts/icon";
import type { Annotation } from "./annotation/annotation";
import type { GenomeBrowser } from "./igv";
import { none, type State } from "./state";

export function Browser({ state, annotation }: { state: State; annotation: Annotation }) {
  const container = useRef<HTMLDivElement>(null);
  const step = useSignal<"closed" | "loading" | "open">("closed");
  const problem = useSignal("");
  const browser = useSignal<GenomeBrowser | undefined>(undefined);
  const closed = useRef(false);

  const open = async () => {
    step.value = "loading";
    problem.value = "";
    try {
      const [{ GenomeBrowser: Made }, genome, features] = await Promise.all([import("./igv"), file(state, "fna"), file(state, "gff3")]);
      if (closed.current || container.current === null) return;
      const made = await Made.open(container.current, annotation, genome, features, (index) => state.choose(index));
      if (closed.current) {
        made.close();
        return;
      }
      browser.value = made;
      step.value = "open";
    } catch (error) {
      problem.value = `The genome browser could not be opened: ${error instanceof Error ? error.message : String(error)}`;
      step.value = "closed";
    }
  };
  useEffect(
    () => () => {
      closed.current = true;
      browser.peek()?.close();
    },
    [],
  );
  useSignalEffect(() => {
    const index = state.chosen.value;
    if (index !== none) browser.value?.show(index);
  });

  if (state.links.get("fna") === undefined || state.links.get("gff3") === undefined) {
    return <p class="note">Without the files of the genome (FASTA) and its features (GFF3), there is nothing for the genome browser.</p>;
  }
  return (
    <section class="browser sheet" aria-labelledby="browser-title">
      <div class="row spread card-head">
        <h2 id="browser-title">Genome browser</h2>
        {step.value === "open" ? (
          <button
            type="button"
            class="button quiet small"
            onClick={() => {
              browser.value?.close();
              browser.value = undefined;
              step.value = "closed";
            }}
          >
            Close
          </button>
        ) : (
          <button type="button" class="button small" disabled={step.value === "loading"} onClick={() => void open()}>
            <Icon name={step.value === "loading" ? "spin" : "right"} />
            {step.value === "loading" ? "Opening …" : "Open"}
          </button>
        )}
      </div>
      {problem.value !== "" && (
        <p class="note bad" role="alert">
          {problem.value}
        </p>
      )}
      <div class={step.value === "closed" ? "igv-container closed" : "igv-container"} ref={container} />
    </section>
  );
}

async function file(state: State, key: "fna" | "gff3"): Promise<File> {
  const answer = await state.links.fetch(key);
  return new File([await answer.blob()], `genome.${key}`);
}
