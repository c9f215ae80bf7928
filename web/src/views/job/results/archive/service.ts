// The service worker that answers the links of archives. It keeps nothing, and answers nothing else.
import type { Note, Order } from "./archive";
import { zip } from "./zip";

// The types of service workers and of pages can't be had together.
interface FetchEvent extends Event {
  request: Request;
  respondWith(answer: Response | Promise<Response>): void;
}
interface ExtendableEvent extends Event {
  waitUntil(promise: Promise<unknown>): void;
}
interface Scope {
  skipWaiting(): Promise<void>;
  clients: { claim(): Promise<void> };
  addEventListener(type: "install" | "activate", act: (e: ExtendableEvent) => void): void;
  addEventListener(type: "fetch", act: (e: FetchEvent) => void): void;
  addEventListener(type: "message", act: (e: MessageEvent<Order>) => void): void;
}
const self = globalThis as unknown as Scope;

const orders = new Map<string, { order: Order; port: MessagePort }>();

self.addEventListener("install", (e) => e.waitUntil(self.skipWaiting()));
self.addEventListener("activate", (e) => e.waitUntil(self.clients.claim()));

self.addEventListener("message", ({ data, ports }) => {
  const port = ports[0];
  if (port === undefined) return;
  orders.set(data.path, { order: data, port });
  port.postMessage({ ask: "ready" } satisfies Note);
});

self.addEventListener("fetch", (e) => {
  const path = new URL(e.request.url).pathname;
  const ordered = orders.get(path);
  if (ordered === undefined) return;
  orders.delete(path);
  const { order, port } = ordered;
  const waiting = new Map<number, (url: string | undefined) => void>();
  port.onmessage = ({ data }: MessageEvent<"alive" | { file: number; url: string | undefined }>) => {
    if (data === "alive") port.postMessage({ ask: "alive" } satisfies Note);
    else waiting.get(data.file)?.(data.url);
  };
  const link = (file: number, renew: boolean) =>
    new Promise<string | undefined>((resolve) => {
      waiting.set(file, resolve);
      port.postMessage({ ask: "link", file, renew } satisfies Note);
    });
  const report = (progress: Extract<Note, { ask: "progress" }>["progress"]) => port.postMessage({ ask: "progress", progress } satisfies Note);
  const ascii = order.name.replace(/[^\w.-]/g, "_");
  e.respondWith(
    zip(order.files, link, report, {
      "Content-Disposition": `attachment; filename="${ascii}"; filename*=UTF-8''${encodeURIComponent(order.name)}`,
      "X-Content-Type-Options": "nosniff",
    }),
  );
});
