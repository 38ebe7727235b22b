/** A JSON value as YAML, as `remit workflow show --yaml` writes it: for reading and for `remit apply`. */
export function yamlOf(value: unknown): string {
  return `${block(value, 0)}\n`;
}

// What YAML would take for something else than text, or that has marks of its own.
const NEEDS_QUOTES = /^$|^[\s\-?:,[\]{}#&*!|>'"%@`]|[:#]\s|\s#|:$|\s$|^(?:true|false|null|yes|no|on|off|~)$|^[-+.\d]/i;
const WIDTH = 100;

function block(value: unknown, depth: number): string {
  const pad = "  ".repeat(depth);
  if (Array.isArray(value)) {
    if (value.length === 0) return "[]";
    return value.map((item) => `${pad}- ${isLeaf(item) ? leaf(item, depth + 1) : block(item, depth + 1).trimStart()}`).join("\n");
  }
  if (value !== null && typeof value === "object") {
    const entries = Object.entries(value);
    if (entries.length === 0) return "{}";
    return entries.map(([key, item]) => `${pad}${text(key)}:${isLeaf(item) ? ` ${leaf(item, depth + 1)}` : `\n${block(item, depth + 1)}`}`).join("\n");
  }
  return leaf(value, depth);
}

function isLeaf(value: unknown): boolean {
  return value === null || typeof value !== "object" || Object.keys(value).length === 0;
}

function leaf(value: unknown, depth: number): string {
  if (typeof value !== "string") return value !== null && typeof value === "object" ? (Array.isArray(value) ? "[]" : "{}") : JSON.stringify(value);
  // A text of several lines stands as it is, unless its edges would be lost.
  if (value.includes("\n") && value === value.trim() && !/[\t\r\u0085\u2028\u2029]|\n\s/.test(value)) {
    const pad = "  ".repeat(depth);
    return `|-\n${value.split("\n").map((line) => (line ? pad + line : "")).join("\n")}`;
  }
  return text(value);
}

function text(value: string): string {
  return NEEDS_QUOTES.test(value) || /[\u0000-\u001f\u007f-\u009f\u2028\u2029\ufeff]/.test(value) || value.length > WIDTH * 10 ? JSON.stringify(value) : value;
}
