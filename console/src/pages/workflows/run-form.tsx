import { Button, Group, JsonInput, Paper, SegmentedControl, Stack, Text, Textarea, Tooltip } from "@mantine/core";
import { useMemo, useState } from "react";
import { useLocation } from "wouter";
import { api, piece, type Schemas, useAct, useCan, useGet, whyNot } from "../../api";
import { freshId } from "../../ui/fresh";
import { Loading, ProblemNote, SchemaForm } from "../../ui";
import { lenient, meant } from "./lenient";

type Run = Schemas["AgentRun"];

/** Start a run: a form of the fields that its states read, or its input as JSON. */
export function RunForm({ name }: { name: string }) {
  const path = `/api/v1/workflows/${piece(name)}/input`;
  const { data, error, refetch } = useGet<Schemas["WorkflowInput"]>(path);
  if (error) return <ProblemNote problem={error} retry={() => void refetch()} />;
  return data ? <Form name={name} schema={data.schema as Record<string, unknown>} /> : <Loading />;
}

function Form({ name, schema }: { name: string; schema: Record<string, unknown> }) {
  const hasFields = Object.keys((schema.properties as object | undefined) ?? {}).length > 0;
  const [form, setForm] = useState(hasFields ? "form" : "json");
  const [objective, setObjective] = useState("");
  const [value, setValue] = useState<unknown>({});
  const [text, setText] = useState("{}");
  const [filled, setFilled] = useState(0);
  const [, go] = useLocation();
  const canRun = useCan("run");
  const shown = useMemo(() => lenient(schema), [schema]);
  const parsed = useMemo(() => readJson(text), [text]);
  const input = form === "form" ? meant(schema, value) : parsed.value;

  const change = (to: string) => {
    if (to === "json") setText(JSON.stringify(meant(schema, value), null, 2));
    else if (parsed.ok) fill(parsed.value);
    setForm(to);
  };
  const fill = (given: unknown) => {
    setText(JSON.stringify(given ?? {}, null, 2));
    setValue(given && typeof given === "object" && !Array.isArray(given) ? texts(schema, given) : {});
    setFilled((times) => times + 1);
  };
  const start = useAct(
    async () => {
      const made = await api.post<Schemas["Submitted"]>("/api/v1/runs", { task_id: freshId("task"), agent: name, objective, input });
      go(`/runs/${piece(made.run_id)}`);
    },
    { touches: ["/api/v1/runs"] },
  );
  const again = useAct(async () => {
    const last = await api.get<{ items: Run[] }>("/api/v1/runs", { agent: name, limit: 1 });
    const run = last.items[0];
    if (!run) throw new Error("It has not run yet: there is no input to take.");
    const view = await api.get<Schemas["RunView"]>(`/api/v1/runs/${piece(run.run_id)}`);
    setObjective(view.task.objective ?? "");
    fill(view.task.input);
  });
  return (
    <Stack maw={760}>
      <Group justify="space-between">
        <SegmentedControl size="xs" aria-label="Give the input as" value={form} onChange={change} data={[{ value: "form", label: "Form", disabled: !hasFields || (form === "json" && !parsed.ok) }, { value: "json", label: "JSON" }]} />
        <Button size="xs" variant="default" loading={again.busy} onClick={() => void again.run()}>
          Take the last run's input
        </Button>
      </Group>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (canRun && (form === "form" || parsed.ok)) void start.run();
        }}
      >
        <Stack>
          <Textarea label="Objective" description="In words, for whoever looks at the run. It may be empty." autosize maxRows={6} value={objective} onChange={(event) => setObjective(event.currentTarget.value)} />
          {form === "form" ? (
            <Paper withBorder p="md">
              <Text size="sm" c="dimmed" mb="sm">
                The fields that its states read. A field of no known kind takes text, or JSON.
              </Text>
              <SchemaForm key={filled} schema={shown} value={value} onChange={setValue} />
            </Paper>
          ) : (
            <JsonInput label="Input" description={hasFields ? "As JSON." : "Its states read no field that can be told from the document; give what it needs as JSON."} autosize minRows={6} maxRows={24} value={text} onChange={setText} error={parsed.ok ? undefined : parsed.why} styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)" } }} />
          )}
          <Group>
            <Tooltip label={whyNot(canRun, "run")} disabled={canRun}>
              <Button type="submit" loading={start.busy} disabled={form === "json" && !parsed.ok} data-disabled={!canRun || undefined}>
                Run it
              </Button>
            </Tooltip>
          </Group>
        </Stack>
      </form>
    </Stack>
  );
}

/** Values as the form's fields take them: what has no known kind as text. */
function texts(schema: Record<string, unknown>, value: unknown): unknown {
  const properties = (schema.properties ?? {}) as Record<string, Record<string, unknown>>;
  const given = value as Record<string, unknown>;
  return Object.fromEntries(
    Object.entries(given).map(([name, item]) => {
      const inner = properties[name];
      if (!inner) return [name, item];
      if (inner.properties && item && typeof item === "object") return [name, texts(inner, item)];
      return [name, inner.type || typeof item === "string" ? item : JSON.stringify(item)];
    }),
  );
}

function readJson(text: string): { ok: boolean; value: unknown; why: string } {
  if (text.trim() === "") return { ok: true, value: null, why: "" };
  try {
    return { ok: true, value: JSON.parse(text) as unknown, why: "" };
  } catch (error) {
    return { ok: false, value: undefined, why: error instanceof Error ? error.message : "This is no JSON." };
  }
}
