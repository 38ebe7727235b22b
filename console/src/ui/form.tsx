import { ActionIcon, Button, Checkbox, Fieldset, Group, JsonInput, NumberInput, Select, Stack, TagsInput, Textarea, TextInput } from "@mantine/core";
import { useState } from "react";

type Schema = Record<string, unknown>;

interface FormProps {
  schema: Schema;
  value: unknown;
  onChange: (value: unknown) => void;
  /** Problems by JSON pointer (`/amount`), shown at their field. */
  problems?: Readonly<Record<string, string>>;
}

/** A form made from a JSON Schema (draft 2020-12). What it cannot show as fields can be written as JSON. */
export function SchemaForm({ schema, value, onChange, problems = {} }: FormProps) {
  return <Field schema={schema} root={schema} value={value} onChange={onChange} problems={problems} pointer="" label="" />;
}

interface FieldProps extends Omit<FormProps, "problems"> {
  root: Schema;
  problems: Readonly<Record<string, string>>;
  pointer: string;
  label: string;
  required?: boolean;
}

const DEEPEST = 8;

function resolved(schema: Schema, root: Schema): Schema {
  let found = schema;
  for (let hops = 0; hops < DEEPEST && typeof found.$ref === "string" && found.$ref.startsWith("#"); hops++) {
    const { $ref, ...beside } = found;
    let target: unknown = root;
    for (const part of ($ref as string).slice(1).split("/").filter(Boolean)) target = (target as Schema | undefined)?.[part.replaceAll("~1", "/").replaceAll("~0", "~")];
    found = { ...((target as Schema) ?? {}), ...beside };
  }
  return found;
}

function typeOf(schema: Schema): string {
  if (typeof schema.type === "string") return schema.type;
  if (Array.isArray(schema.type)) return (schema.type as string[]).find((type) => type !== "null") ?? "";
  return schema.properties ? "object" : "";
}

function Field(props: FieldProps) {
  const { root, value, onChange, problems, pointer, required } = props;
  const schema = resolved(props.schema, root);
  const label = String(schema.title ?? props.label);
  const common = { label: label || "Value", description: schema.description ? String(schema.description) : undefined, error: problems[pointer], withAsterisk: required };
  const depth = pointer.split("/").length;
  const choices = (schema.oneOf ?? schema.anyOf) as Schema[] | undefined;
  if (choices && choices.length > 0 && depth < DEEPEST) return <Choice {...props} choices={choices} schema={schema} />;
  const fixed = schema.enum ?? (schema.const !== undefined ? [schema.const] : undefined);
  if (Array.isArray(fixed)) {
    const texts = fixed.map((one) => (typeof one === "string" ? one : JSON.stringify(one)));
    const current = fixed.findIndex((one) => JSON.stringify(one) === JSON.stringify(value));
    return <Select {...common} data={[...new Set(texts)]} value={current < 0 ? null : texts[current]!} clearable={!required} onChange={(text) => onChange(text === null ? undefined : fixed[texts.indexOf(text)])} />;
  }
  const type = typeOf(schema);
  if (type === "object" && schema.properties && depth < DEEPEST) {
    const held = value && typeof value === "object" && !Array.isArray(value) ? (value as Schema) : {};
    const wanted = new Set((schema.required as string[]) ?? []);
    const fields = Object.entries(schema.properties as Record<string, Schema>).map(([name, inner]) => (
      <Field
        key={name}
        schema={inner}
        root={root}
        value={held[name]}
        label={name}
        required={wanted.has(name)}
        problems={problems}
        pointer={`${pointer}/${name}`}
        onChange={(changed) => {
          const next = { ...held };
          if (changed === undefined) delete next[name];
          else next[name] = changed;
          onChange(next);
        }}
      />
    ));
    if (pointer === "") return <Stack gap="sm">{fields}</Stack>;
    return (
      <Fieldset legend={label}>
        <Stack gap="sm">{fields}</Stack>
      </Fieldset>
    );
  }
  if (type === "array" && schema.items && typeof schema.items === "object" && depth < DEEPEST) {
    const inner = resolved(schema.items as Schema, root);
    const held = Array.isArray(value) ? (value as unknown[]) : [];
    if (typeOf(inner) === "string" && !inner.enum && held.every((item) => typeof item === "string")) {
      return <TagsInput {...common} placeholder="Enter adds one" value={held as string[]} onChange={(next) => onChange(next.length > 0 || required ? next : undefined)} />;
    }
    return (
      <Fieldset legend={common.label}>
        <Stack gap="sm">
          {held.map((item, at) => (
            <Group key={at} align="flex-end" wrap="nowrap">
              <div style={{ flex: 1, minWidth: 0 }}>
                <Field schema={inner} root={root} value={item} label={`${at + 1}`} problems={problems} pointer={`${pointer}/${at}`} onChange={(changed) => onChange(held.map((other, index) => (index === at ? changed : other)))} />
              </div>
              <ActionIcon variant="subtle" color="red" aria-label={`Remove ${common.label} ${at + 1}`} onClick={() => onChange(held.filter((_, index) => index !== at))}>
                ×
              </ActionIcon>
            </Group>
          ))}
          <Button variant="default" size="xs" onClick={() => onChange([...held, undefined])} style={{ alignSelf: "flex-start" }}>
            Add to {common.label}
          </Button>
        </Stack>
      </Fieldset>
    );
  }
  if (type === "boolean") return <Checkbox label={common.label} description={common.description} error={common.error} checked={value === true} onChange={(event) => onChange(event.currentTarget.checked)} />;
  if (type === "integer" || type === "number") {
    return (
      <NumberInput
        {...common}
        value={typeof value === "number" || typeof value === "string" ? value : ""}
        allowDecimal={type === "number"}
        onChange={(next) => onChange(next === "" ? undefined : typeof next === "string" && Number.isFinite(Number(next)) ? Number(next) : next)}
      />
    );
  }
  if (type === "string") {
    const text = typeof value === "string" ? value : "";
    const set = (next: string) => onChange(next === "" && !required ? undefined : next);
    const isLong = text.length > 60 || text.includes("\n") || Number(schema.maxLength ?? 0) > 200;
    return isLong ? <Textarea {...common} autosize minRows={2} maxRows={16} value={text} onChange={(event) => set(event.currentTarget.value)} /> : <TextInput {...common} value={text} onChange={(event) => set(event.currentTarget.value)} />;
  }
  return <RawJson {...common} value={value} onChange={onChange} />;
}

function Choice({ choices, schema, ...props }: FieldProps & { choices: Schema[] }) {
  const real = choices.map((choice) => resolved(choice, props.root));
  const named = real.map((choice, at) => String(choice.title ?? (choice.const !== undefined ? JSON.stringify(choice.const) : typeOf(choice) || `form ${at + 1}`)));
  const useful = real.findIndex((choice) => choice.type !== "null");
  const [at, setAt] = useState(() => Math.max(0, props.value === undefined ? useful : real.findIndex((choice) => fits(choice, props.value))));
  const chosen = real[at] ?? {};
  // "a value or nothing" is one field that may be left empty
  if (real.filter((choice) => choice.type !== "null").length === 1) return <Field {...props} schema={{ ...real[useful], title: schema.title ?? real[useful]?.title, description: schema.description ?? real[useful]?.description }} />;
  const label = String(schema.title ?? props.label);
  return (
    <Fieldset legend={label}>
      <Stack gap="sm">
        <Select label="Form" data={named.map((text, index) => ({ value: String(index), label: text }))} value={String(at)} allowDeselect={false} onChange={(next) => (setAt(Number(next)), props.onChange(undefined))} />
        {chosen.type !== "null" && <Field {...props} schema={chosen} label={label} />}
      </Stack>
    </Fieldset>
  );
}

function fits(schema: Schema, value: unknown): boolean {
  if (schema.const !== undefined) return JSON.stringify(schema.const) === JSON.stringify(value);
  const type = typeOf(schema);
  if (type === "array") return Array.isArray(value);
  if (type === "object") return value !== null && typeof value === "object" && !Array.isArray(value) && ((schema.required as string[]) ?? []).every((name) => name in value);
  if (type === "integer") return Number.isInteger(value);
  return typeof value === type;
}

function RawJson({ value, onChange, ...common }: { label: string; description?: string; error?: string; withAsterisk?: boolean; value: unknown; onChange: (value: unknown) => void }) {
  const [text, setText] = useState(() => (value === undefined ? "" : JSON.stringify(value, null, 2)));
  const [problem, setProblem] = useState("");
  return (
    <JsonInput
      {...common}
      ref={(box) => box?.setCustomValidity(problem)} // a form is not sent with what was typed left out
      description={common.description ?? "JSON"}
      autosize
      minRows={2}
      maxRows={20}
      value={text}
      error={problem || common.error}
      onChange={(next) => {
        setText(next);
        try {
          onChange(next.trim() === "" ? undefined : JSON.parse(next));
          setProblem("");
        } catch {
          setProblem("This is no JSON yet.");
        }
      }}
    />
  );
}
