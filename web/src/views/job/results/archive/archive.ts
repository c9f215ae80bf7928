// All files of a job in one archive (ZIP), which is made while it is downloaded.
//
// A service worker makes it: it answers a link of its own with the archive as it grows, and the browser saves that like any other
// download, so that no memory is needed for it. Where there are no service workers (pages without https, some private windows), the
// archive is made in memory, and then saved.
import type { FileKey } from "../../../../api/types";
import type { Links } from "../links";
import { zip } from "./zip";
import workerURL from "./service.ts?worker&url";

export type Progress =
  | { step: "running"; done: number; of: number }
  | { step: "done"; missing: string[] }
  | { step: "failed"; reason: string };

/** What the page tells the service worker to make, and what that tells the page. */
export interface Order {
  path: string;
  name: string;
  files: string[];
}
/** The worker asks for each file's link when it gets to it, so that it is never an old one. */
export type Note = { ask: "ready" } | { ask: "alive" } | { ask: "link"; file: number; renew: boolean } | { ask: "progress"; progress: Progress };

export async function archive(
  name: string, files: { key: FileKey; name: string }[], links: Links, report: (p: Progress) => void, save: (url: string, name?: string) => void,
): Promise<void> {
  const link = async (file: number, renew: boolean) => {
    if (renew) await links.renew();
    return links.get(files[file]!.key);
  };
  const entries = files.map((f) => f.name);
  const worker = await serviceWorker();
  if (worker === undefined) {
    const answer = zip(entries, link, report);
    const url = URL.createObjectURL(await answer.blob());
    save(url, `${name}.zip`);
    setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser has opened it by then
    return;
  }
  const { port1, port2 } = new MessageChannel();
  const path = `${scope}${crypto.randomUUID()}/${encodeURIComponent(name)}.zip`;
  await new Promise<void>((resolve, reject) => {
    // Messages keep the worker alive: browsers end one that has been silent for half a minute, even while it answers.
    const beat = setInterval(() => port1.postMessage("alive"), 5_000);
    let silent = 0;
    const end = (error?: Error) => {
      clearInterval(beat);
      clearTimeout(silent);
      port1.close();
      if (error === undefined) resolve();
      else reject(error);
    };
    const heard = () => {
      clearTimeout(silent);
      silent = window.setTimeout(() => end(new Error("the browser ended the part of the page that makes it. Reload the page, and try again.")), 20_000);
    };
    heard();
    port1.onmessage = async ({ data }: MessageEvent<Note>) => {
      heard();
      switch (data.ask) {
        case "ready":
          save(path);
          break;
        case "link":
          port1.postMessage({ file: data.file, url: await link(data.file, data.renew).catch(() => undefined) });
          break;
        case "progress":
          report(data.progress);
          if (data.progress.step !== "running") end();
      }
    };
    worker.postMessage({ path, name: `${name}.zip`, files: entries } satisfies Order, [port2]);
  });
}

/** The paths that the service worker answers: nothing of the page itself is among them. */
const scope = new URL("archive/", new URL(workerURL, location.href)).pathname;

async function serviceWorker(): Promise<ServiceWorker | undefined> {
  if (!("serviceWorker" in navigator) || !isSecureContext) return undefined;
  try {
    const registration = await navigator.serviceWorker.register(workerURL, { scope });
    const worker = registration.installing ?? registration.waiting ?? registration.active;
    if (worker === null) return undefined;
    await activated(worker);
    return worker;
  } catch {
    return undefined;
  }
}

function activated(worker: ServiceWorker): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = () => {
      if (worker.state === "activated") resolve();
      else if (worker.state === "redundant") reject(new Error("The browser refused the service worker."));
    };
    worker.addEventListener("statechange", look);
    look();
  });
}

