import { Button, Group, JsonInput, Modal, SegmentedControl, Stack, Switch, Text, Textarea, Title } from "@mantine/core";
import { useMemo, useState } from "react";
import { useLocation } from "wouter";
import { api, piece, type Schemas, useAct, useGet } from "../../api";
import { JsonDiff, ProblemNote, SchemaForm, stable } from "../../ui";
import { type Detail, runPath, type Summary } from "./data";
import { fieldsOf } from "./fields";

type Schema = Record<string, unknown>;

/** What a person may change of a step that is done once more: a value, or words that a model reads besides. */
interface Editable {
  label: string;
  value: unknown;
  isWords?: boolean;
}

function editable(summary: Summary, { row, input }: Detail): Editable {
  if (summary.kind === "workflow") return { label: "Input of the state", value: input };
  if (row.kind !== "model") return { label: "Arguments", value: input };
  return row.step === "m0" ? { label: "Input of the task", value: summary.task.input } : { label: "What the model is told besides", value: "", isWords: true };
}

/** What is known of an input: of a call its tool's schema, of a state that the run began with what the states read. */
function useSchema(summary: Summary, detail: Detail): { schema: Schema | null; isKnown: boolean } {
  const isStart = summary.kind === "workflow" && stable(detail.input) === stable(summary.task.input);
  const { data, isLoading } = useGet<Schemas["WorkflowInput"]>(`/api/v1/workflows/${piece(summary.agent)}/input`, {}, { enabled: isStart });
  return { schema: (isStart ? data?.schema : detail.input_schema) ?? null, isKnown: !isLoading };
}

/** A new run that goes on from a step, with another input if one likes. */
export function ForkDialog({ summary, detail, onClose }: { summary: Summary; detail: Detail; onClose: () => void }) {
  const start = editable(summary, detail);
  const { schema, isKnown } = useSchema(summary, detail);
  const [isEdited, setEdited] = useState(false);
  const [value, setValue] = useState(start.value);
  const [problem, setProblem] = useState("");
  const [forkId] = useState(() => `console-${crypto.randomUUID()}`);
  const [, go] = useLocation();
  const isEmpty = start.isWords && String(value).trim() === "";
  const act = useAct((body: Schemas["ForkRun"]) => api.post<Schemas["Submitted"]>(runPath(summary.run_id, "/fork"), body), { done: "A new run goes on from there.", touches: ["/api/v1/runs"], quiet: true });
  const fork = async () => {
    const body = { from_step: detail.row.step, fork_id: forkId, ...(isEdited ? { input: value ?? null } : {}) } as Schemas["ForkRun"];
    const made = await act.run(body);
    if (made) {
      onClose();
      go(`/runs/${piece(made.run_id)}`);
    }
  };
  return (
    <Modal opened onClose={onClose} title={`Fork from ${detail.row.step} (${detail.row.name})`} size="lg">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void fork();
        }}
      >
        <Stack>
          <Text size="sm">
            A new run takes over everything before this step and does none of it again. The step itself is done once more, and what it does outside happens once more too: policy decides about it as about any call.
          </Text>
          <Switch label="Edit what goes in" checked={isEdited} onChange={(event) => setEdited(event.currentTarget.checked)} />
          {isEdited && start.isWords && <Textarea label={start.label} autosize minRows={4} maxRows={18} value={String(value)} onChange={(event) => setValue(event.currentTarget.value)} error={isEmpty ? "Write what the model should know." : undefined} data-autofocus />}
          {isEdited && !start.isWords && isKnown && <InputOf label={start.label} schema={schema} before={start.value} value={value} onChange={setValue} problem={problem} onProblem={setProblem} />}
          <ProblemNote problem={act.problem} />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={act.busy} disabled={isEdited && Boolean(isEmpty || problem)}>
              Fork
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

interface InputProps {
  label: string;
  schema: Schema | null;
  before: unknown;
  value: unknown;
  onChange: (value: unknown) => void;
  /** Why what was typed is no value; empty when it is one. */
  problem: string;
  onProblem: (problem: string) => void;
}

/** A value as fields where there are any, or as JSON; and what differs from what went in before. */
function InputOf({ label, schema, before, value, onChange, problem, onProblem }: InputProps) {
  const fields = useMemo(() => fieldsOf(schema, before), [schema, before]);
  const [isForm, setForm] = useState(fields !== null);
  const [text, setText] = useState(() => pretty(value));
  const type = (given: string) => {
    setText(given);
    try {
      onChange(JSON.parse(given));
      onProblem("");
    } catch (error) {
      onProblem(`This is no JSON: ${(error as Error).message}`);
    }
  };
  return (
    <>
      {fields && (
        <SegmentedControl
          size="xs"
          aria-label="Give it as"
          value={isForm ? "form" : "json"}
          onChange={(form) => {
            setText(pretty(value));
            setForm(form === "form");
          }}
          data={[{ value: "form", label: "Form", disabled: problem !== "" }, { value: "json", label: "JSON" }]}
          style={{ alignSelf: "flex-start" }}
        />
      )}
      {isForm && fields ? (
        <div role="group" aria-label={label}>
          <SchemaForm schema={fields} value={value} onChange={onChange} />
        </div>
      ) : (
        <JsonInput label={label} autosize minRows={4} maxRows={18} value={text} onChange={type} error={problem || undefined} styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)", fontSize: 13 } }} />
      )}
      {stable(value) !== stable(before) && (
        <section>
          <Title order={3} size="h6" mb={4}>
            What goes in instead
          </Title>
          <JsonDiff before={before} after={value} whole />
        </section>
      )}
    </>
  );
}

function pretty(value: unknown): string {
  return JSON.stringify(value ?? null, null, 2);
}
