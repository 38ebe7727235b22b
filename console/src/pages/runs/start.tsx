import { Autocomplete, Button, Collapse, Group, JsonInput, Modal, Stack, Text, Textarea, TextInput } from "@mantine/core";
import { useState } from "react";
import { useLocation } from "wouter";
import { api, type Schemas, useAct } from "../../api";
import { ProblemNote } from "../../ui";
import { fresh } from "./bulk";
import { useRunnable } from "./runnable";

interface StartProps {
  opened: boolean;
  onClose: () => void;
  /** The agent that is filled in. */
  agent?: string;
}

/** Start a run of any agent or workflow. */
export function StartRun({ opened, onClose, agent = "" }: StartProps) {
  return (
    <Modal opened={opened} onClose={onClose} title="Start a run" size="lg">
      {opened && <Form agent={agent} onStarted={onClose} />}
    </Modal>
  );
}

function Form({ agent, onStarted }: { agent: string; onStarted: () => void }) {
  const [name, setName] = useState(agent);
  const [objective, setObjective] = useState("");
  const [input, setInput] = useState("");
  const [session, setSession] = useState("");
  const [isMore, setMore] = useState(false);
  // one id for as long as the form is open: sending it again after a lost answer starts no second run
  const [task_id] = useState(() => `console-${fresh()}`);
  const [, go] = useLocation();
  const runnable = useRunnable();
  const chosen = runnable.find((one) => one.name === name.trim());
  const given = parsed(input);
  const start = useAct(
    () => api.post<Schemas["Submitted"]>("/api/v1/runs", { task_id, agent: name.trim(), objective, input: given.value, session_id: session.trim() }),
    { touches: ["/api/v1/runs"], quiet: true },
  );
  const isReady = name.trim() !== "" && !given.problem;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (!isReady) return;
        void start.run().then((made) => {
          if (!made) return;
          onStarted(); // the dialog would stay until the page of the run has come
          go(`/runs/${encodeURIComponent(made.run_id)}`);
        });
      }}
    >
      <Stack>
        <Autocomplete label="Agent or workflow" required data-autofocus data={runnable.map((one) => one.name)} limit={50} value={name} onChange={setName} description={chosen?.description} />
        <Textarea label="Objective" description="What it should achieve." autosize minRows={2} maxRows={8} value={objective} onChange={(event) => setObjective(event.currentTarget.value)} />
        <JsonInput label="Input" description="As JSON, if it takes any." placeholder={'{"ticket": 17}'} autosize minRows={3} maxRows={16} formatOnBlur value={input} onChange={setInput} error={given.problem} />
        <Collapse expanded={isMore}>
          <TextInput label="Session" description="The conversation that it goes on with." value={session} onChange={(event) => setSession(event.currentTarget.value)} />
        </Collapse>
        <ProblemNote problem={start.problem} />
        <Group justify="space-between">
          <Button variant="subtle" size="xs" onClick={() => setMore(!isMore)} aria-expanded={isMore}>
            {isMore ? "Less" : "More"}
          </Button>
          <Group gap="xs">
            {chosen?.kind === "workflow" && (
              <Text size="xs" c="dimmed">
                A workflow has a <a href={`#/workflows/${encodeURIComponent(chosen.name)}`}>page with a form</a>.
              </Text>
            )}
            <Button type="submit" loading={start.busy} disabled={!isReady}>
              Start
            </Button>
          </Group>
        </Group>
      </Stack>
    </form>
  );
}

function parsed(text: string): { value: unknown; problem?: string } {
  if (text.trim() === "") return { value: null };
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    return { value: null, problem: error instanceof Error ? error.message : "This is no JSON." };
  }
}
