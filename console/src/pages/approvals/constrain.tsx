import { Button, Group, Modal, Stack, Textarea, Title } from "@mantine/core";
import { useState } from "react";
import type { Schemas } from "../../api";
import { JsonDiff, ProblemNote, SchemaForm, stable } from "../../ui";
import { useDecide } from "./deciding";

interface ConstrainProps {
  context: Schemas["ApprovalContext"];
  onClose: () => void;
  onDecided: () => void;
}

/** Approve with other arguments: a form made from the tool's schema, and what differs from what was asked. */
export function Constrain({ context, onClose, onDecided }: ConstrainProps) {
  const { approval, tool } = context;
  const start = approval.agreed_arguments ?? approval.arguments;
  const [value, setValue] = useState<unknown>(start);
  const [rationale, setRationale] = useState("");
  const act = useDecide(approval, onDecided, true);
  const isSame = stable(value) === stable(start);
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  const submit = async () => {
    const done = await act.run({ kind: "constrain", rationale, arguments: value as Record<string, unknown> });
    if (done) onClose();
  };
  return (
    <Modal opened onClose={onClose} title={`Change and approve: ${approval.tool}`} size="xl">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!isSame && isObject && !act.busy) void submit();
        }}
      >
        <Stack>
          <SchemaForm schema={Object.keys(tool.input_schema).length > 0 ? tool.input_schema : { type: "object" }} value={value} onChange={setValue} />
          <Textarea label="Reason" description="For the record." autosize minRows={2} maxLength={4000} value={rationale} onChange={(event) => setRationale(event.currentTarget.value)} />
          <section>
            <Title order={3} size="h6" mb={4}>
              What would be done instead
            </Title>
            <JsonDiff before={approval.arguments} after={value} whole />
          </section>
          <ProblemNote problem={act.problem} />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" disabled={isSame || !isObject || act.busy}>
              Approve with these
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
