// Builds the page into dist/, which is committed. The same sources and package-lock.json give the same bytes: nothing here depends on
// the time, the machine or the path.
import { defineConfig } from "vite";
import { licences } from "./build/licences.ts";
import { packed } from "./build/packed.ts";
import { quiet } from "./build/quiet.ts";
import { sources } from "./build/sources.ts";

export default defineConfig({
  base: "/",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  plugins: [quiet(), licences(), sources(), packed()],
  build: {
    target: ["chrome123", "firefox125", "safari17.4"],
    modulePreload: { polyfill: false }, // each of these browsers has it
    assetsInlineLimit: 0, // the Content-Security-Policy allows no data: URLs for scripts and fonts
    reportCompressedSize: false,
    chunkSizeWarningLimit: 2000, // kB, of the genome browser, which is loaded when it is opened; a test bounds the first view
    sourcemap: false,
  },
  worker: { format: "es" },
  server: {
    // `npm run dev` beside `bakta-web local`, which allows pages of every port of this machine.
    proxy: Object.fromEntries(["/api/", "/api-docs/", "/inspect/"].map((path) => [path, "http://127.0.0.1:8080"])),
  },
});
