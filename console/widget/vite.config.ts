import { defineConfig } from "vite";

// One script without a module loader, beside the console's files: it stands in pages that know nothing of Remit's build.
export default defineConfig({
  root: "widget",
  publicDir: "public",
  build: {
    outDir: "../../src/remit/console",
    emptyOutDir: false,
    target: "es2020",
    sourcemap: false,
    reportCompressedSize: false,
    lib: { entry: "src/main.ts", formats: ["iife"], name: "RemitChat", fileName: () => "widget.js" },
  },
});
