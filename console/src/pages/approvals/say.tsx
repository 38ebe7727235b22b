import { Button, Group, Modal, Stack, Text, Textarea } from "@mantine/core";
import { useState } from "react";

interface SayProps {
  opened: boolean;
  title: string;
  label: string;
  action: string;
  about?: string;
  onClose: () => void;
  onSay: (text: string) => void;
}

const MOST = 4000;

/** A question or an answer, in a dialog. */
export function Say({ opened, title, label, action, about, onClose, onSay }: SayProps) {
  const [text, setText] = useState("");
  const isEmpty = text.trim() === "";
  return (
    <Modal opened={opened} onClose={onClose} title={title}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (isEmpty) return;
          onSay(text.trim());
          setText("");
          onClose();
        }}
      >
        <Stack>
          {about && (
            <Text size="sm" style={{ overflowWrap: "anywhere", whiteSpace: "pre-wrap" }}>
              “{about}”
            </Text>
          )}
          <Textarea label={label} required data-autofocus autosize minRows={3} maxRows={14} maxLength={MOST} value={text} onChange={(event) => setText(event.currentTarget.value)} />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" disabled={isEmpty}>
              {action}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
