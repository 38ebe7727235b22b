export type Body = Record<string, unknown>;

/** Fields that are written as text, not as a JSON string with escapes. */
const TEXT_FIELDS = new Set(["text", "instructions", "cedar"]);

/** What a new definition begins with. */
export const TEMPLATES: Readonly<Record<string, Body>> = {
  prompt: { text: "" },
  agent: { instructions: "", description: "", tools: [] },
  policy_profile: { cedar: "" },
  workflow: { StartAt: "First", States: { First: { Type: "Pass", End: true } } },
};

/** A body as the long texts in it, and the rest. */
export function split(body: Body): { texts: Record<string, string>; rest: Body } {
  const isText = ([key, value]: [string, unknown]) => typeof value === "string" && (TEXT_FIELDS.has(key) || value.includes("\n"));
  const entries = Object.entries(body);
  return { texts: Object.fromEntries(entries.filter(isText)) as Record<string, string>, rest: Object.fromEntries(entries.filter((entry) => !isText(entry))) };
}

/** The body again. */
export function joined(rest: Body, texts: Readonly<Record<string, string>>): Body {
  return { ...rest, ...texts };
}
