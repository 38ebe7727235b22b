type Schema = Record<string, unknown>;

/** What a form is made from: the schema as far as it says something, else the shape of the value. Null: there are no fields. */
export function fieldsOf(schema: Schema | null | undefined, value: unknown): Schema | null {
  const found = schema ? completed(schema, value) : shapeOf(value);
  return Object.keys((found.properties as object | undefined) ?? {}).length > 0 ? found : null;
}

const SAYS_KIND = ["type", "enum", "const", "oneOf", "anyOf", "allOf", "$ref", "properties"];

function completed(schema: Schema, value: unknown): Schema {
  const properties = schema.properties as Record<string, Schema> | undefined;
  if (!properties) return SAYS_KIND.some((key) => key in schema) ? schema : { ...shapeOf(value), ...schema };
  const held = isObject(value) ? value : {};
  return { ...schema, properties: Object.fromEntries(Object.entries(properties).map(([name, inner]) => [name, completed(inner, held[name])])) };
}

function shapeOf(value: unknown): Schema {
  if (typeof value === "string" || typeof value === "boolean" || typeof value === "number") return { type: typeof value };
  if (Array.isArray(value)) return value.length > 0 && value.every((item) => typeof item === "string") ? { type: "array", items: { type: "string" } } : {};
  if (!isObject(value) || Object.keys(value).length === 0) return {};
  return { type: "object", properties: Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, shapeOf(inner)])) };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
