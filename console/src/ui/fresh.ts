/** An id that nobody has had: also where the page came over plain http, which has no `crypto.randomUUID`. */
export function freshId(prefix: string): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `${prefix}_${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
