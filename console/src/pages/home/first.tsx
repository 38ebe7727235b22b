import { Anchor, Button, Group, Paper, SimpleGrid, Skeleton, Stack, Text, Title, Tooltip } from "@mantine/core";
import type { ReactNode } from "react";
import { useCan, whyNot } from "../../api";
import { Code } from "../../ui";
import { useRunnable } from "../runs/runnable";

const OFFERED = 6;

/** Before anything has run: what to do first. */
export function FirstUse({ start }: { start: (agent: string) => void }) {
  const runnable = useRunnable();
  const mayRun = useCan("run");
  return (
    <Stack maw={960}>
      <Text c="dimmed">Nothing has run yet. Three ways to begin:</Text>
      <SimpleGrid cols={{ base: 1, md: 3 }} spacing="sm">
        <Way title="Start a run">
          <Text size="sm">Give an agent a task. What it does, asks and costs is shown while it goes.</Text>
          <Group gap="xs">
            {runnable.slice(0, OFFERED).map((one) => (
              <Tooltip key={one.name} label={whyNot(mayRun, "run") ?? one.description} disabled={mayRun && !one.description}>
                <Button size="compact-sm" variant="light" maw="100%" onClick={() => mayRun && start(one.name)} data-disabled={mayRun ? undefined : true} aria-disabled={!mayRun}>
                  {one.name}
                </Button>
              </Tooltip>
            ))}
            {runnable.length === 0 && <Skeleton h={26} w={120} animate={false} />}
          </Group>
        </Way>
        <Way title="Talk with an agent">
          <Text size="sm">The chat shows what an agent looks up and does for each answer.</Text>
          <Anchor href="#/chat" size="sm">
            Open the chat
          </Anchor>
        </Way>
        <Way title="From a terminal">
          <Text size="sm">Write agents of your own, and see them here:</Text>
          <Code text={"remit init my-project\nremit run AGENT \"what to do\""} />
        </Way>
      </SimpleGrid>
    </Stack>
  );
}

function Way({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Paper withBorder p="sm" component="section" aria-label={title}>
      <Stack gap="xs">
        <Title order={2} size="h5">
          {title}
        </Title>
        {children}
      </Stack>
    </Paper>
  );
}
