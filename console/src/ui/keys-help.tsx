import { Group, Kbd, Modal, Stack, Text } from "@mantine/core";
import { PLACES } from "../places";
import { useRegisteredKeys } from "./keys";

/** What `?` shows: the keys of the page and of everywhere. */
export default function KeysHelp({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const all = useRegisteredKeys();
  return (
    <Modal opened={opened} onClose={onClose} title="Keys">
      <Stack gap="xs">
        {all.flat().map((one) => (
          <Group key={`${one.key}${one.label}`} justify="space-between">
            <Text size="sm">{one.label}</Text>
            <Kbd>{one.key}</Kbd>
          </Group>
        ))}
        {PLACES.map((place) => (
          <Group key={place.to} justify="space-between">
            <Text size="sm">Go to {place.label.toLowerCase()}</Text>
            <Group gap={4}>
              <Kbd>g</Kbd>
              <Kbd>{place.key}</Kbd>
            </Group>
          </Group>
        ))}
      </Stack>
    </Modal>
  );
}
