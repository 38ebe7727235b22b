type Schema = Record<string, unknown>;

/** The schema with a text field for each value of no known kind: what is typed there is JSON if it can be, else text. */
export function lenient(schema: Schema): Schema {
  const properties = schema.properties as Record<string, Schema> | undefined;
  if (properties) return { ...schema, properties: Object.fromEntries(Object.entries(properties).map(([name, inner]) => [name, lenient(inner)])) };
  if (schema.type === "array" && !schema.items) return { ...schema, type: undefined, description: `${String(schema.description ?? "")}; a list, as JSON` };
  return schema.type ? schema : { ...schema, type: "string" };
}

/** What was meant by what was typed into a form of `lenient(schema)`. */
export function meant(schema: Schema, value: unknown): unknown {
  const properties = schema.properties as Record<string, Schema> | undefined;
  if (properties && value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, properties[name] ? meant(properties[name], item) : item]));
  }
  if (schema.type || typeof value !== "string") return value;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return value;
  }
}
