// Makes an archive of files that are fetched one after the other, while it is read.
import { downloadZip } from "client-zip";
import type { Progress } from "./archive";

/** Returns the link of a file, a new one if asked; undefined if there is none. */
export type GetLink = (file: number, renew: boolean) => Promise<string | undefined>;

/** A file that can't be had is left out, and listed in a text file in its place. */
export function zip(names: string[], link: GetLink, report: (p: Progress) => void, headers: Record<string, string> = {}): Response {
  const missing: string[] = [];
  const stopped = new AbortController();
  async function* files() {
    for (const [i, name] of names.entries()) {
      report({ step: "running", done: i, of: names.length });
      const input = await open(i, link, stopped.signal);
      if (input === undefined) missing.push(name);
      else yield { name, input };
    }
    if (missing.length > 0) {
      yield { name: "MISSING.txt", input: `The storage did not give these files when the archive was made:\n${missing.join("\n")}\n` };
    }
  }
  const reader = downloadZip(files()).body!.getReader();
  const watched = new ReadableStream<Uint8Array>(
    {
      async pull(to) {
        try {
          const { done, value } = await reader.read();
          if (done) {
            to.close();
            report({ step: "done", missing });
          } else {
            to.enqueue(value);
          }
        } catch (error) {
          to.error(error);
          report({ step: "failed", reason: "the storage stopped in the middle of a file. Try again." });
        }
      },
      async cancel(reason) {
        report({ step: "failed", reason: "the download was stopped." });
        stopped.abort();
        await reader.cancel(reason).catch(() => {}); // it throws the reason through the list of files
      },
    },
    { highWaterMark: 0 }, // nothing is fetched before it can be saved
  );
  return new Response(watched, { headers: { "Content-Type": "application/zip", ...headers } });
}

async function open(file: number, link: GetLink, signal: AbortSignal): Promise<Response | undefined> {
  for (const renew of [false, true]) {
    try {
      const url = await link(file, renew);
      if (url === undefined) continue;
      const answer = await fetch(url, { credentials: "omit", referrerPolicy: "no-referrer", signal });
      if (answer.ok) return answer;
      await answer.body?.cancel();
    } catch {
      // Refused, or out of reach: with a new link once more.
    }
  }
  return undefined;
}
