import { Button, Group, Tooltip } from "@mantine/core";

interface SaveProps {
  /** What is still lacking before it can be saved; then the buttons are off, and say this. */
  lacking: string | undefined;
  isBusy: boolean;
  onDraft: () => void;
}

/** The end of a form that writes the next version: as a draft, or active at once, which is what submits the form. */
export function SaveButtons({ lacking, isBusy, onDraft }: SaveProps) {
  const off = { "data-disabled": lacking ? true : undefined, "aria-disabled": Boolean(lacking), loading: isBusy };
  return (
    <Group justify="flex-end" gap="xs">
      <Tooltip label={lacking} disabled={!lacking}>
        <Button variant="default" onClick={() => !lacking && onDraft()} {...off}>
          Save as draft
        </Button>
      </Tooltip>
      <Tooltip label={lacking} disabled={!lacking}>
        <Button type="submit" {...off}>
          Save and make active
        </Button>
      </Tooltip>
    </Group>
  );
}
