import { Button, Group, Modal, Stack, Textarea } from "@mantine/core";
import type { Question } from "./confirm";

interface AskingProps {
  asked: Question | null;
  reason: string;
  onReason: (reason: string) => void;
  onClose: (ok: boolean) => void;
}

/** The dialog of `useConfirm`; apart, since the start needs none. */
export default function Asking({ asked, reason, onReason, onClose }: AskingProps) {
  const isLacking = asked?.reason === true && reason.trim() === "";
  return (
    <Modal opened={asked !== null} onClose={() => onClose(false)} title={asked?.title}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!isLacking) onClose(true);
        }}
      >
        <Stack>
          {asked?.body}
          {asked?.reason && <Textarea label="Reason" description="It is kept with the change." required data-autofocus autosize minRows={2} value={reason} onChange={(event) => onReason(event.currentTarget.value)} />}
          <Group justify="flex-end">
            <Button variant="default" onClick={() => onClose(false)}>
              Cancel
            </Button>
            <Button type="submit" color={asked?.danger ? "red" : undefined} disabled={isLacking} data-autofocus={asked?.reason ? undefined : true}>
              {asked?.action}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
