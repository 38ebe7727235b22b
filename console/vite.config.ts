import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// `base: "./"` and hash routes: the same files work at any path of any static host, with no rewrite rule.
export default defineConfig({
  base: "./",
  plugins: [react()],
  build: {
    outDir: "../src/remit/console",
    emptyOutDir: true,
    target: "es2022",
    sourcemap: false,
    modulePreload: { polyfill: false }, // it would be an inline script
    assetsInlineLimit: 0, // `img-src` allows no surprises
    reportCompressedSize: false,
  },
  server: {
    port: 8701,
    proxy: { "/api": "http://127.0.0.1:8700", "/chat": "http://127.0.0.1:8700" },
  },
});
