import { configOf } from "./config";
import { show } from "./view";

const script = document.currentScript;
const start = () => show(configOf(script));
if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
else start();
