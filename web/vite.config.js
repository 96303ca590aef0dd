import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

const BUILT = "../src/knowlog/web";
const TEXTUAL = /\.(js|mjs|css|html|svg)$/;

/** Lays a compressed copy beside each file of text, so that no server compresses anything while it serves. */
function compressed() {
  return {
    name: "compressed",
    apply: "build",
    closeBundle() {
      for (const name of readdirSync(BUILT, { recursive: true })) {
        const path = join(BUILT, name);
        if (TEXTUAL.test(path) && statSync(path).size > 1024) {
          writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: 9 }));
        }
      }
    },
  };
}

export default defineConfig({
  plugins: [svelte(), compressed()],
  build: {
    outDir: BUILT,
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0, // the policy of the page allows no data: scripts or fonts
    license: { fileName: "assets/licenses.md" }, // of what is in the files
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 2000, // pdf.js, which is fetched when a PDF is opened
  },
  server: { proxy: { "/v1": process.env.KNOWLOG_URL ?? "http://127.0.0.1:8080" } },
});
