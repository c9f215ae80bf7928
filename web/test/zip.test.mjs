// The archive as it is made: files that can't be had, links that are renewed, a download that is stopped.
import assert from "node:assert/strict";
import { createServer as createStorage } from "node:http";
import { after, before, test } from "node:test";
import { createServer } from "vite";

let vite;
let storage;
let zip;
let url;
/** Answers that a test leaves open. */
const open = [];

before(async () => {
  vite = await createServer({ configFile: false, server: { middlewareMode: true, hmr: false, ws: false, watch: null }, appType: "custom", optimizeDeps: { noDiscovery: true }, logLevel: "error" });
  ({ zip } = await vite.ssrLoadModule("/src/views/job/results/archive/zip.ts"));
  storage = createStorage((request, answer) => {
    switch (request.url) {
      case "/good":
        answer.end("content");
        break;
      case "/broken":
        answer.writeHead(200, { "Content-Length": "1000" });
        answer.write("a part", () => answer.destroy());
        break;
      case "/slow":
        answer.write("a part");
        open.push(answer);
        break;
      default:
        answer.writeHead(403).end();
    }
  });
  await new Promise((resolve) => storage.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${storage.address().port}`;
});
after(async () => {
  for (const answer of open) answer.destroy();
  await vite?.close();
  storage?.close();
});

test("an expired link is renewed, and a file that can't be had is named", async () => {
  const asked = [];
  const reports = [];
  const link = async (file, renew) => {
    asked.push([file, renew]);
    return file === 0 && renew ? `${url}/good` : file === 1 ? undefined : `${url}/expired`;
  };
  const archive = Buffer.from(await zip(["a.tsv", "b.tsv", "c.tsv"], link, (p) => reports.push(p)).arrayBuffer()).toString("latin1");
  assert.deepEqual(asked, [[0, false], [0, true], [1, false], [1, true], [2, false], [2, true]]);
  assert.match(archive, /a\.tsvcontent/);
  assert.match(archive, /MISSING\.txt.*b\.tsv\nc\.tsv\n/s);
  assert.deepEqual(reports.at(-1), { step: "done", missing: ["b.tsv", "c.tsv"] });
});

test("a storage that stops in the middle of a file breaks the archive off, and says so", async () => {
  const reports = [];
  await assert.rejects(zip(["a.tsv"], async () => `${url}/broken`, (p) => reports.push(p)).arrayBuffer());
  assert.equal(reports.at(-1).step, "failed");
});

test("a download that is stopped ends the archive", async () => {
  const reports = [];
  const reader = zip(["a.tsv"], async () => `${url}/slow`, (p) => reports.push(p)).body.getReader();
  await reader.read();
  await reader.cancel();
  assert.deepEqual(reports.at(-1), { step: "failed", reason: "the download was stopped." });
});
