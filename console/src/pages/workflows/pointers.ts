/** What stands at a JSON pointer of a document; undefined for nothing. */
export function at(document: unknown, pointer: string): unknown {
  let found: unknown = document;
  for (const part of parts(pointer)) {
    if (found === null || typeof found !== "object" || !Object.hasOwn(found, part)) return undefined;
    found = (found as Record<string, unknown>)[part];
  }
  return found;
}

/** The state that a pointer leads to. */
export function nameOf(pointer: string): string {
  return parts(pointer).at(-1) ?? "";
}

function parts(pointer: string): string[] {
  return pointer
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
}
