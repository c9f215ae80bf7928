// The options of a start: a form made from what the server says that it takes.
import { useSignal } from "@preact/signals";
import { useId } from "preact/hooks";
import type { Option } from "../../api/types";
import { titled } from "../../parts/format";
import { Icon } from "../../parts/icon";
import { catalogue } from "../../state/server";
import { config, setOption, violations } from "../../state/draft";
import type { WorkflowKind } from "../../api/types";

/** How the page groups the options that it knows. One of a newer server stands in the last group, with the server's own words. */
const groups: { title: string; names: string[] }[] = [
  { title: "Organism", names: ["genus", "species", "strain", "plasmid", "derm_type", "translation_table"] },
  { title: "Sequences", names: ["complete_genome", "min_contig_length", "meta", "keep_contig_headers", "locus"] },
  { title: "Annotation", names: ["compliant", "locus_tag", "locus_tag_increment"] },
];

const labels: Record<string, string> = {
  derm_type: "Cell envelope",
  translation_table: "Translation table",
  complete_genome: "Complete genome",
  min_contig_length: "Shortest sequence",
  meta: "Metagenome",
  keep_contig_headers: "Keep sequence ids",
  locus: "Prefix of sequence ids",
  locus_tag: "Prefix of locus tags",
  locus_tag_increment: "Increment of locus tags",
  compliant: "For public databases",
};

/** Where the server's line speaks of a command line. */
const helps: Record<string, string> = {
  derm_type: "It selects the search for signal peptides.",
  translation_table: "Of the coding sequences.",
  locus_tag_increment: "Between the numbers of two locus tags.",
  min_contig_length: "Shorter ones are left out, in base pairs.",
};

const choices: Record<string, Record<string, string>> = {
  derm_type: { unknown: "Unknown", monoderm: "One membrane (Gram-positive)", diderm: "Two membranes (Gram-negative)" },
};

/** The server's words name Bakta's flags; a form has labels. */
const withoutFlags = (text: string) =>
  text.replace(/--([a-z-]+)/g, (flag, name: string) => {
    const named = catalogue.value?.options.find((o) => o.flag === name)?.name;
    return named === undefined ? flag : `“${labels[named] ?? titled(named)}”`;
  });

const sentence = (text: string) => (text === "" ? "" : `${text.charAt(0).toUpperCase()}${text.slice(1)}.`);

/** The options of those workflows, in groups. */
export function OptionsForm({ kinds }: { kinds: WorkflowKind[] }) {
  const all = (catalogue.value?.options ?? []).filter((o) => o.workflow_kinds.some((kind) => kinds.includes(kind)));
  if (all.length === 0) return null;
  const steps = all.filter((o) => o.kind === "step");
  const placed = new Set(groups.flatMap((g) => g.names));
  const rest = all.filter((o) => o.kind !== "step" && !placed.has(o.name));
  const set = all.filter((o) => config.value[o.name] !== undefined).length;
  return (
    <section class="sheet options" aria-labelledby="options-title">
      <header class="row spread">
        <h2 id="options-title">Options</h2>
        {set > 0 && (
          <button type="button" class="button small quiet" onClick={() => all.forEach((o) => setOption(o.name, undefined))}>
            Reset {set === 1 ? "one option" : `${set} options`}
          </button>
        )}
      </header>
      {groups.map(({ title, names }) => {
        const shown = names.map((name) => all.find((o) => o.name === name)).filter((o) => o !== undefined);
        return shown.length === 0 ? null : <Group key={title} title={title} options={shown} />;
      })}
      {rest.length > 0 && <Group title="More" options={rest} />}
      {steps.length > 0 && <Steps steps={steps} />}
    </section>
  );
}

function Group({ title, options }: { title: string; options: Option[] }) {
  return (
    <fieldset>
      <legend>{title}</legend>
      <div class="fields">
        {options.map((o) => (
          <Field key={o.name} option={o} />
        ))}
      </div>
    </fieldset>
  );
}

const problemOf = (name: string) => violations.value.find((v) => v.field === name)?.problem ?? "";

function Field({ option: o }: { option: Option }) {
  const id = useId();
  const value = config.value[o.name];
  const problem = problemOf(o.name);
  const label = labels[o.name] ?? titled(o.name);
  const rule = o.rule === "" || o.choices.length > 0 || o.kind === "number" ? "" : `Valid: ${o.rule}.`;
  const byDefault = choices[o.name]?.[o.default_value] !== undefined || (o.name === "derm_type" && o.default_value === "?") ? "" : o.default_value;
  const help = [helps[o.name] ?? sentence(o.help), rule, byDefault === "" ? "" : `Default: ${withoutFlags(byDefault)}.`].filter((t) => t !== "").join(" ");
  const described = { "aria-describedby": `${id}-help`, "aria-invalid": problem !== "" };
  let control;
  if (o.kind === "switch") {
    return (
      <div class="field switch">
        <input type="checkbox" id={id} checked={value === true} onChange={(e) => setOption(o.name, e.currentTarget.checked)} {...described} />
        <label for={id}>{label}</label>
        <Help id={`${id}-help`} text={help} problem={problem} />
      </div>
    );
  }
  if (o.choices.length > 0) {
    const number = o.kind === "number";
    control = (
      <select
        id={id}
        value={value === undefined ? "" : String(value)}
        onChange={(e) => setOption(o.name, e.currentTarget.value === "" ? undefined : number ? Number(e.currentTarget.value) : e.currentTarget.value)}
        {...described}
      >
        <option value="">Default</option>
        {o.choices.map((c) => (
          <option key={c} value={c}>
            {choices[o.name]?.[c] ?? c}
          </option>
        ))}
      </select>
    );
  } else if (o.kind === "number") {
    const typed = (text: string) => setOption(o.name, text.trim() === "" ? undefined : /^-?\d{1,15}$/.test(text.trim()) ? Number(text) : text);
    control = (
      <input id={id} inputMode="numeric" value={value === undefined ? "" : String(value)} onInput={(e) => typed(e.currentTarget.value)} {...described} />
    );
  } else {
    control = (
      <input
        id={id}
        value={value === undefined ? "" : String(value)}
        onInput={(e) => setOption(o.name, e.currentTarget.value)}
        spellcheck={false}
        autocomplete="off"
        autocapitalize="off"
        {...described}
      />
    );
  }
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {control}
      <Help id={`${id}-help`} text={help} problem={problem} />
    </div>
  );
}

function Help({ id, text, problem }: { id: string; text: string; problem: string }) {
  return (
    <p id={id} class={problem === "" ? "help" : "help bad"} aria-live="polite">
      {problem === "" ? text : sentence(problem)}
    </p>
  );
}

function Steps({ steps }: { steps: Option[] }) {
  const open = useSignal(steps.some((o) => config.peek()[o.name] === true));
  const left = steps.filter((o) => config.value[o.name] === true).length;
  return (
    <details class="steps" open={open.value} onToggle={(e) => (open.value = e.currentTarget.open)}>
      <summary>
        <Icon name="right" />
        Leave out steps {left > 0 && <span class="count">{left}</span>}
      </summary>
      <div class="checks" role="group" aria-label="Steps to leave out">
        {steps.map((o) => (
          <label key={o.name}>
            <input type="checkbox" checked={config.value[o.name] === true} onChange={(e) => setOption(o.name, e.currentTarget.checked)} />
            {o.help.replace(/^leave out (the )?/, "")}
          </label>
        ))}
      </div>
      {problemOf("skip") !== "" && <p class="help bad">{sentence(problemOf("skip"))}</p>}
    </details>
  );
}
