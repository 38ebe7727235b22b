import { ActionIcon, Button, Group, JsonInput, Paper, Select, Stack, Textarea, Tooltip } from "@mantine/core";
import { type Ref, useState } from "react";
import { useCan, whyNot } from "../../api";

interface ComposerProps {
  agents: readonly { name: string; description?: string }[];
  agent: string;
  onAgent: (name: string) => void;
  isRunning: boolean;
  isBusy: boolean;
  onSend: (text: string, input: unknown) => Promise<boolean>;
  onStop: () => void;
  box: Ref<HTMLTextAreaElement>;
}

/** Where one writes: Enter sends, shift Enter begins a line. */
export function Composer({ agents, agent, onAgent, isRunning, isBusy, onSend, onStop, box }: ComposerProps) {
  const [text, setText] = useState("");
  const [hasInput, setHasInput] = useState(false);
  const [input, setInput] = useState("");
  const canRun = useCan("run");
  const isGiven = !hasInput || input.trim() === "" || isJson(input);
  const canSend = canRun && !isRunning && !isBusy && agent !== "" && (text.trim() !== "" || (hasInput && input.trim() !== "")) && isGiven;
  const send = async () => {
    if (!canSend) return;
    const given = hasInput && input.trim() !== "" ? (JSON.parse(input) as unknown) : undefined;
    if (await onSend(text.trim(), given)) {
      setText("");
      setInput("");
    }
  };
  const names = agents.some((one) => one.name === agent) || agent === "" ? agents.map((one) => one.name) : [agent, ...agents.map((one) => one.name)];
  return (
    <Paper withBorder p="xs" className="remit-chat-composer">
      <Stack gap={6}>
        <Textarea
          ref={box}
          aria-label="Message"
          placeholder={canRun ? "Ask something. Enter sends, shift Enter begins a new line." : "None of your roles may run agents."}
          variant="unstyled"
          autosize
          minRows={1}
          maxRows={10}
          disabled={!canRun}
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => {
            // While a word is being composed (Japanese, say), Enter takes the word.
            if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
              event.preventDefault();
              void send();
            }
          }}
        />
        {hasInput && <JsonInput label="Input" description="Data for the agent, besides the words: JSON." autosize minRows={2} maxRows={10} value={input} onChange={setInput} error={isGiven ? undefined : "This is no JSON yet."} />}
        <Group justify="space-between" gap="xs">
          <Group gap="xs">
            <Select size="xs" w={220} aria-label="Agent" placeholder="Choose an agent" searchable data={names} value={agent || null} onChange={(name) => name && onAgent(name)} allowDeselect={false} nothingFoundMessage="No agent is called that" maxDropdownHeight={320} />
            <Tooltip label={hasInput ? "Leave the data out" : "Give data besides the words"}>
              <ActionIcon variant={hasInput ? "light" : "subtle"} color="gray" aria-label="Give data" aria-pressed={hasInput} onClick={() => setHasInput(!hasInput)}>
                {"{ }"}
              </ActionIcon>
            </Tooltip>
          </Group>
          {isRunning ? (
            <Button size="xs" color="red" variant="light" onClick={onStop}>
              Stop
            </Button>
          ) : (
            <Tooltip label={whyNot(canRun, "run")} disabled={canRun}>
              <Button size="xs" onClick={() => void send()} disabled={!canSend} loading={isBusy}>
                Send
              </Button>
            </Tooltip>
          )}
        </Group>
      </Stack>
    </Paper>
  );
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
