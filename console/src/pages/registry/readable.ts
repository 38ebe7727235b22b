/**
 * A value as text for people: YAML's looks, keys in order, long texts as blocks. For reading and comparing, so that a changed
 * line of a prompt is a changed line of the text.
 */
export function readable(value: unknown): string {
  return lines(value, "").join("\n");
}

function lines(value: unknown, indent: string): string[] {
  if (Array.isArray(value)) {
    if (value.length === 0) return [`${indent}[]`];
    return value.flatMap((item) => {
      if (!isTree(item)) return [`${indent}- ${leaf(item)}`];
      const inner = lines(item, `${indent}  `);
      return [`${indent}- ${inner[0]!.slice(indent.length + 2)}`, ...inner.slice(1)];
    });
  }
  if (value !== null && typeof value === "object") {
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    if (entries.length === 0) return [`${indent}{}`];
    return entries.flatMap(([key, item]) => {
      if (typeof item === "string" && item.includes("\n")) return [`${indent}${key}: |`, ...item.replace(/\n$/, "").split("\n").map((line) => `${indent}  ${line}`)];
      if (isTree(item)) return [`${indent}${key}:`, ...lines(item, `${indent}  `)];
      return [`${indent}${key}: ${leaf(item)}`];
    });
  }
  return [`${indent}${leaf(value)}`];
}

function isTree(value: unknown): boolean {
  return value !== null && typeof value === "object" && Object.keys(value).length > 0;
}

function leaf(value: unknown): string {
  if (typeof value !== "string") return JSON.stringify(value) ?? "null";
  return value === "" || /^[\s\-\[\]{}"'#&*!|>%@`]|: |\s$|^(true|false|null|~|[-+.\d].*)$/.test(value) ? JSON.stringify(value) : value;
}
