// Edits a replicon table: a row for each sequence of the genome.
import type { Sequence } from "../../inspect/inspector";
import { count } from "../../parts/format";
import { Icon } from "../../parts/icon";
import { blankRow, editReplicon, repliconRows, type RepliconRow } from "../../state/draft";

/** More rows are better written in a program for tables. */
const most = 200;

/** `of` is the key of the sample. */
export function RepliconTable({ of, sequences, count: all }: { of: number; sequences: Sequence[]; count: number }) {
  const rows = repliconRows.value.get(of);
  if (sequences.length === 0) return null;
  const ids = sequences.map((s) => s.id);
  const edit = (at: number, to: Partial<RepliconRow>) => editReplicon(of, ids, at, to);
  return (
    <details class="steps">
      <summary>
        <Icon name="right" />
        Write the replicon table here
      </summary>
      {all > most ? (
        <p class="help">The genome has {count(all)} sequences; write the table of so many in a program for tables.</p>
      ) : (
        <div class="scroll-x">
          <table class="replicons">
            <thead>
              <tr>
                <th scope="col">Sequence</th>
                <th scope="col" class="number">
                  Length
                </th>
                <th scope="col">Type</th>
                <th scope="col">Topology</th>
                <th scope="col">New id</th>
                <th scope="col">Name</th>
              </tr>
            </thead>
            <tbody>
              {sequences.map((s, i) => {
                const row = rows?.get(i) ?? blankRow;
                return (
                  <tr key={i}>
                    <th scope="row" class="mono">
                      {s.id}
                    </th>
                    <td class="number">{count(s.length)}</td>
                    <td>
                      <select aria-label={`Type of ${s.id}`} value={row.type} onChange={(e) => edit(i, { type: e.currentTarget.value })}>
                        <option value="">{s.complete ? "By its header" : "Contig"}</option>
                        <option value="chromosome">Chromosome</option>
                        <option value="plasmid">Plasmid</option>
                        <option value="contig">Contig</option>
                      </select>
                    </td>
                    <td>
                      <select aria-label={`Topology of ${s.id}`} value={row.topology} onChange={(e) => edit(i, { topology: e.currentTarget.value })}>
                        <option value="">–</option>
                        <option value="circular">Circular</option>
                        <option value="linear">Linear</option>
                      </select>
                    </td>
                    <td>
                      <input aria-label={`New id of ${s.id}`} value={row.newID} spellcheck={false} onInput={(e) => edit(i, { newID: clean(e.currentTarget.value) })} />
                    </td>
                    <td>
                      <input aria-label={`Name of ${s.id}`} value={row.name} spellcheck={false} onInput={(e) => edit(i, { name: clean(e.currentTarget.value) })} />
                    </td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      )}
    </details>
  );
}

/** A cell can't hold what separates cells and rows. */
const clean = (text: string) => text.replace(/[\t\r\n]+/g, " ").trim();
