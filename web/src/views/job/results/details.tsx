// All that is known of the chosen feature.
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { count } from "../../../parts/format";
import { Icon } from "../../../parts/icon";
import type { Annotation, Detail } from "./annotation/annotation";
import { kindOf } from "./kinds";
import { place, strand } from "./places";
import { reference, type Reference } from "./references";
import { none, type State } from "./state";

export function Details({ state, annotation }: { state: State; annotation: Annotation }) {
  const detail = state.detail.value;
  if (state.chosen.value === none || detail === undefined) {
    return (
      <aside class="details sheet empty" aria-label="Chosen feature">
        <p class="soft">
          Choose a feature {annotation.sequences.length > 0 ? "in the plot, the genome browser or the table" : "in the table"} to see what is known of it.
        </p>
      </aside>
    );
  }
  return <Chosen state={state} annotation={annotation} detail={detail} />;
}

function Chosen({ state, annotation, detail }: { state: State; annotation: Annotation; detail: Detail }) {
  const { features, sequences } = annotation;
  const i = detail.index;
  const body = useRef<HTMLDivElement>(null);
  useEffect(() => body.current?.scrollTo(0, 0), [i]);
  const where = place(features, sequences, i);
  const title = detail.gene || detail.locus || detail.id;
  const kind = kindOf(detail.kind);
  const references = grouped(detail.references);
  return (
    <aside class="details sheet" aria-label="Chosen feature">
      <header>
        <div>
          <p class="small soft kind-line">
            <span class={`swatch kind-${kind.colour}`} />
            {kind.name}
          </p>
          <h2 class={detail.gene === "" ? "" : "gene"}>{title}</h2>
        </div>
        <div class="row steps">
          <button type="button" class="button quiet icon" aria-label="Feature before" title="Feature before" onClick={() => state.step(-1)}>
            <Icon name="up" />
          </button>
          <button type="button" class="button quiet icon" aria-label="Next feature" title="Next feature" onClick={() => state.step(1)}>
            <Icon name="down" />
          </button>
          <button type="button" class="button quiet icon" aria-label="Close the details" title="Close" onClick={() => state.choose(none)}>
            <Icon name="cross" />
          </button>
        </div>
      </header>
      <div class="details-body" ref={body} tabIndex={0} role="group" aria-label="What is known of it">
        <p class="product">{detail.product || "No product is known."}</p>
        <dl>
          {detail.locus !== "" && <Fact name="Locus tag" value={detail.locus} />}
          {detail.locus === "" && detail.id !== "" && <Fact name="Id" value={detail.id} />}
          {detail.genes.length > 0 && <Fact name="Also named" value={detail.genes.join(", ")} />}
          {where !== "" && <Fact name="Position" value={`${where} ${features.strand[i] === 0 ? "" : `(${strand(features.strand[i]!)})`}`} />}
          {features.length[i]! > 0 && (
            <Fact
              name="Length"
              value={[where !== "" && `${count(features.length[i]!)} bp`, detail.aa !== "" && `${count(detail.aa.length)} aa`].filter(Boolean).join(", ")}
            />
          )}
          {detail.evidence.map((e, n) => (
            <Fact key={n} name={e.name} value={e.value} />
          ))}
        </dl>
        {references.length > 0 && (
          <>
            <h3>Cross-references</h3>
            <dl class="references">
              {references.map(([database, entries]) => (
                <div key={database}>
                  <dt>{database}</dt>
                  <dd>
                    {entries.map((r, n) => (
                      <Entry key={n} reference={r} />
                    ))}
                  </dd>
                </div>
              ))}
            </dl>
          </>
        )}
        {(detail.nt !== "" || detail.aa !== "") && <h3>Sequences</h3>}
        {detail.nt !== "" && <Letters key={`n${i}`} name="Nucleotides" detail={detail} letters={detail.nt} unit="bp" />}
        {detail.aa !== "" && <Letters key={`a${i}`} name="Amino acids" detail={detail} letters={detail.aa} unit="aa" />}
      </div>
    </aside>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function grouped(references: string[]): [string, Reference[]][] {
  const groups = new Map<string, Reference[]>();
  for (const r of references.map(reference)) groups.set(r.database, [...(groups.get(r.database) ?? []), r]);
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1));
}

function Entry({ reference: r }: { reference: Reference }) {
  return (
    <span class="entry">
      {r.url === undefined ? (
        r.entry
      ) : (
        <a href={r.url} target="_blank" rel="noopener noreferrer">
          {r.entry}
          <span class="hidden"> (opens another site)</span>
        </a>
      )}
      {r.meaning !== "" && <span class="soft small"> {r.meaning}</span>}
    </span>
  );
}

/** The letters that are shown of a long sequence. All of them are copied. */
const most = 6000;

function Letters({ name, detail, letters, unit }: { name: string; detail: Detail; letters: string; unit: string }) {
  const copied = useSignal<"" | "yes" | "no">("");
  const copy = async () => {
    const title = [detail.locus || detail.id, detail.product].filter((t) => t !== "").join(" ");
    copied.value = (await toClipboard(`>${title}\n${wrap(letters)}\n`)) ? "yes" : "no";
  };
  return (
    <div class="letters">
      <div class="row spread">
        <span>
          {name} <span class="soft small">{`${count(letters.length)} ${unit}`}</span>
        </span>
        <button type="button" class="button small" aria-label={`Copy the ${name.toLowerCase()} as FASTA`} onClick={() => void copy()}>
          {copied.value === "yes" ? "Copied" : "Copy"}
        </button>
      </div>
      <p class="hidden" role="status">
        {copied.value === "yes" && `The ${name.toLowerCase()} are in the clipboard.`}
      </p>
      {copied.value === "no" && <p class="small note warn">The browser does not let the page copy. Mark the text below, and copy it.</p>}
      <div class="mono" tabIndex={0} role="group" aria-label={name}>
        {letters.length > most && copied.value !== "no" ? `${letters.slice(0, most)} … (${count(letters.length - most)} more)` : letters}
      </div>
    </div>
  );
}

const wrap = (letters: string): string => letters.replace(/.{60}(?=.)/g, "$&\n");

async function toClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // A page that is not served by https has no such clipboard.
  }
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "hidden";
  const focused = document.activeElement as HTMLElement | null;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  focused?.focus();
  return done;
}
