// The list of jobs as a file, for another browser or as a backup. It has the secrets: whoever has it has the jobs.
import { count, counted } from "../parts/format";
import { jobs, known, put } from "./jobs";
import { wake } from "./watch";

const format = "bakta-web jobs";

interface Exported {
  format: typeof format;
  version: 1;
  server: string;
  jobs: { id: string; secret: string; name: string; workflow: string; batch: string; added: string }[];
}

const isID = (id: unknown) => typeof id === "string" && /^[0-9a-f-]{36}$/i.test(id);

/** Saves the list of jobs as a file. */
export function save(): void {
  const list: Exported = {
    format, version: 1, server: location.origin,
    jobs: [...jobs.value.values()].map((j) => ({
      id: j.id, secret: j.secret, name: j.name, workflow: j.kind, batch: j.batch, added: new Date(j.added).toISOString(),
    })),
  };
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(list, null, 2) + "\n"], { type: "application/json" }));
  link.download = `bakta-web-jobs-${new Date().toISOString().slice(0, 10)}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Adds the jobs of a file that save wrote. It returns what was done, or what is wrong with the file, in words for people. */
export async function open(file: File): Promise<{ ok: boolean; text: string }> {
  let list: Partial<Exported>;
  try {
    list = JSON.parse(await file.text()) as Partial<Exported>;
  } catch {
    return { ok: false, text: `${file.name} is not JSON; choose a file that this page saved.` };
  }
  if (list?.format !== format || !Array.isArray(list.jobs)) return { ok: false, text: `${file.name} is not a list of jobs that this page saved.` };
  const fresh = list.jobs.filter((j) => isID(j.id) && typeof j.secret === "string" && !jobs.value.has(j.id));
  await put(
    fresh.map((j) => ({
      ...known({ job_id: j.id, secret: j.secret }, String(j.name ?? ""), String(j.workflow ?? ""), String(j.batch ?? "")),
      added: Date.parse(j.added) || Date.now(),
    })),
  );
  wake();
  const other = list.server !== undefined && list.server !== location.origin ? ` They are jobs of ${list.server}, and this server may not have them.` : "";
  const were = list.jobs.length === 1 ? "was" : "were";
  return { ok: true, text: `${count(fresh.length)} of ${counted(list.jobs.length, "job")} ${were} new here.${other}` };
}
