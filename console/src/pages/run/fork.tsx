import { Alert, Button, Group, Modal, Stack, Switch, Text, Textarea } from "@mantine/core";
import { useState } from "react";
import { useLocation } from "wouter";
import { api, type Schemas, useAct } from "../../api";
import { type Detail, runPath, type Summary } from "./data";

/** What a person may change of a step that is done once more. */
interface Editable {
  label: string;
  text: string;
  isText: boolean;
}

function editable(summary: Summary, detail: Detail): Editable {
  if (summary.kind === "llm" && detail.row.kind === "model") {
    if (detail.row.step === "m0") return { label: "Input of the task", text: pretty(summary.task.input), isText: false };
    return { label: "What the model is told besides", text: "", isText: true };
  }
  return { label: summary.kind === "workflow" ? "Input of the state" : "Arguments", text: pretty(detail.input), isText: false };
}

function pretty(value: unknown): string {
  return JSON.stringify(value ?? null, null, 2);
}

/** A new run that goes on from a step, with another input if one likes. */
export function ForkDialog({ summary, detail, onClose }: { summary: Summary; detail: Detail; onClose: () => void }) {
  const start = editable(summary, detail);
  const [isEdited, setEdited] = useState(false);
  const [text, setText] = useState(start.text);
  const [forkId] = useState(() => `console-${crypto.randomUUID()}`);
  const [, go] = useLocation();
  const given = isEdited ? parsed(text, start.isText) : { value: undefined, problem: "" };
  const act = useAct((body: Schemas["ForkRun"]) => api.post<Schemas["Submitted"]>(runPath(summary.run_id, "/fork"), body), { done: "A new run goes on from there.", touches: ["/api/v1/runs"] });
  const fork = async () => {
    const body = { from_step: detail.row.step, fork_id: forkId, ...(isEdited ? { input: given.value } : {}) } as Schemas["ForkRun"];
    const made = await act.run(body);
    if (made) {
      onClose();
      go(`/runs/${encodeURIComponent(made.run_id)}`);
    }
  };
  return (
    <Modal opened onClose={onClose} title={`Fork from ${detail.row.step} (${detail.row.name})`} size="lg">
      <Stack>
        <Text size="sm">
          A new run takes over everything before this step and does none of it again. The step itself is done once more, and what it does outside happens once more too: policy decides about it as about any call.
        </Text>
        <Switch label="Edit what goes in" checked={isEdited} onChange={(event) => setEdited(event.currentTarget.checked)} />
        {isEdited && <Textarea label={start.label} autosize minRows={4} maxRows={18} value={text} onChange={(event) => setText(event.currentTarget.value)} error={given.problem || undefined} styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)", fontSize: 13 } }} data-autofocus />}
        {act.problem && (
          <Alert color="red" variant="light" role="alert" title={act.problem.code}>
            {act.problem.detail} {act.problem.help}
          </Alert>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button onClick={() => void fork()} loading={act.busy} disabled={Boolean(given.problem)}>
            Fork
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}

function parsed(text: string, isText: boolean): { value: unknown; problem: string } {
  if (isText) return text.trim() ? { value: text, problem: "" } : { value: undefined, problem: "Write what the model should know." };
  try {
    return { value: JSON.parse(text), problem: "" };
  } catch (error) {
    return { value: undefined, problem: `This is no JSON: ${(error as Error).message}` };
  }
}
