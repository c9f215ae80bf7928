// What was found, in numbers.
import { bases, count, percent } from "../../../parts/format";
import { byKind, kindOf } from "./kinds";
import type { Annotation } from "./annotation/annotation";
import type { State } from "./state";

export function Summary({ state, annotation, kind }: { state: State; annotation: Annotation; kind: string }) {
  const { stats, sequences, organism, versions } = annotation;
  const isGenome = sequences.length > 0;
  const figures: [name: string, value: string, exact?: string][] = [];
  if (isGenome) {
    if (stats.size !== undefined) figures.push(["Size", bases(stats.size), `${count(stats.size)} bp`]);
    figures.push(["Sequences", count(sequences.length)]);
    if (stats.n50 !== undefined) figures.push(["N50", bases(stats.n50), `${count(stats.n50)} bp`]);
    if (stats.gc !== undefined) figures.push(["GC", percent(stats.gc, 1)]);
    if (stats.coding !== undefined) figures.push(["Coding", percent(stats.coding, 1)]);
    if (stats.nRatio !== undefined && stats.nRatio > 0) figures.push(["Unknown bases", percent(stats.nRatio, 1)]);
  } else {
    figures.push([kind === "bakta_proteins" ? "Proteins" : "Features", count(annotation.features.count)]);
  }
  const found = annotation.counts.toSorted(([a], [b]) => byKind(a, b));
  const table = annotation.translationTable;
  return (
    <section class="summary" aria-labelledby="summary-title">
      <h2 id="summary-title" class={organism === "" ? "hidden" : "organism"}>
        {organism === "" ? "Summary" : organism}
      </h2>
      <dl class="figures">
        {figures.map(([name, value, exact]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd title={exact}>{value}</dd>
          </div>
        ))}
      </dl>
      {found.length > 0 && (
        <ul class="counts" aria-label="Features by kind. Choose one to see these alone in the table.">
          {found.map(([key, n]) => {
            const k = kindOf(key);
            const on = state.selection.value.kind === key;
            return (
              <li key={key}>
                <button type="button" class="chip" aria-pressed={on} onClick={() => state.filter({ kind: on ? "" : key })}>
                  <span class={`swatch kind-${k.colour}`} />
                  <b>{count(n)}</b> {n === 1 ? k.name : k.plural}
                </button>
              </li>
            );
          })}
        </ul>
      )}
      <p class="soft small origin">
        {versions.map((v) => `${v.program} ${v.version}`).join(" · ")}
        {table !== undefined && ` · translation table ${table}`}
        {annotation.run.end !== "" && ` · ${annotation.run.end}`}
      </p>
      {annotation.problems.map((problem) => (
        <p class="note warn" key={problem}>
          {problem}
        </p>
      ))}
    </section>
  );
}
