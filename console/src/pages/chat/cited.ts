/** A place in a text that names what it rests on: characters of a document, or a cell of a result. */
export type Citation = { whole: string; number: number; label: string } & ({ kind: "document"; document: string; start: number; end: number } | { kind: "cell" });

export type Place = Extract<Citation, { kind: "document" }>;

const DOCUMENT = "doc:[A-Za-z0-9][A-Za-z0-9._-]{0,127}#\\d{1,12}-\\d{1,12}";
const CELL = "\\[\\[(?:[\\w-]+\\.)?r\\d+\\.[\\w .#%$&-]{1,60}\\]\\]";
export const CITED = `${DOCUMENT}|${CELL}`;
const MOST = 60;

/** What a text rests on, numbered in the order in which it is named. */
export function cited(text: string): Citation[] {
  const found = [...new Set([...text.matchAll(new RegExp(CITED, "g"))].map(([whole]) => whole))].slice(0, MOST);
  return found.map((whole, at) => {
    const [, document, start, end] = /^doc:(.+)#(\d+)-(\d+)$/.exec(whole) ?? [];
    const named = { whole, number: at + 1 };
    if (document === undefined) return { ...named, kind: "cell", label: whole.slice(2, -2) };
    return { ...named, kind: "document", label: `${document} ${start}–${end}`, document, start: Number(start), end: Number(end) };
  });
}
