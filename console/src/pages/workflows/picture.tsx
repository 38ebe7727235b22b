import { Box, Group, Stack, Text, Title } from "@mantine/core";
import type { Schemas } from "../../api";
import { Code, useUrlState, WorkflowGraph } from "../../ui";
import { at, nameOf } from "./pointers";

/** The picture, and beside it the state that was chosen. */
export function PictureTab({ view, version }: { view: Schemas["WorkflowView"]; version: string }) {
  const [{ state }, set] = useUrlState({ state: "" });
  const chosen = state ? at(view.document, state) : undefined;
  return (
    <Group align="stretch" gap="md" wrap="wrap">
      <Box style={{ flex: "1 1 520px", minWidth: 0 }}>
        <WorkflowGraph workflow={view.name} version={version ? Number(version) : undefined} selected={state} onSelect={(pointer) => set({ state: pointer === state ? "" : pointer })} height="min(68vh, 720px)" />
      </Box>
      <Stack gap="xs" style={{ flex: "0 1 360px", minWidth: 260 }} role="region" aria-label="The state that was chosen">
        {chosen === undefined ? (
          <Text size="sm" c="dimmed" mt={36}>
            Choose a state to see what it says. Arrows go from one to the next.
          </Text>
        ) : (
          <>
            <Title order={2} size="h5" style={{ overflowWrap: "anywhere" }}>
              {nameOf(state)}
            </Title>
            <Code text={JSON.stringify(chosen, null, 2)} label={nameOf(state)} maxHeight={620} />
          </>
        )}
      </Stack>
    </Group>
  );
}
