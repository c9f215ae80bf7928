// Makes an archive of files that are fetched one after the other, while it is read.
import { downloadZip } from "client-zip";
import type { Progress } from "./archive";

/** Returns the link of a file, a new one if asked; undefined if there is none. */
export type GetLink = (file: number, renew: boolean) => Promise<string | undefined>;

/** A file that can't be had is left out, and listed in a text file in its place. */
export function zip(names: string[], link: GetLink, report: (p: Progress) => void, headers: Record<string, string> = {}): Response {
  const missing: string[] = [];
  async function* files() {
    for (const [i, name] of names.entries()) {
      report({ step: "running", done: i, of: names.length });
      const input = await open(i, link);
      if (input === undefined) missing.push(name);
      else yield { name, input };
    }
    if (missing.length > 0) {
      yield { name: "MISSING.txt", input: `The storage did not give these files when the archive was made:\n${missing.join("\n")}\n` };
    }
  }
  const made = downloadZip(files());
  // The end of the stream is the end of the archive, or of the download that the user stopped.
  const watched = made.body!.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      flush: () => report({ step: "done", missing }),
    }),
  );
  return new Response(watched, { headers: { "Content-Type": "application/zip", ...headers } });
}

async function open(file: number, link: GetLink): Promise<Response | undefined> {
  for (const renew of [false, true]) {
    try {
      const url = await link(file, renew);
      if (url === undefined) continue;
      const answer = await fetch(url, { credentials: "omit", referrerPolicy: "no-referrer" });
      if (answer.ok) return answer;
      await answer.body?.cancel();
    } catch {
      // Refused, or out of reach: with a new link once more.
    }
  }
  return undefined;
}
