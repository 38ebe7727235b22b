import { Group, Select, Text, TextInput } from "@mantine/core";
import { PageHead, UrlTabs, useUrlState } from "../../ui";
import { Budgets } from "./budgets";
import { daysBefore, today, ZONE } from "./days";
import { Lines } from "./lines";
import { Overview } from "./overview";

const SPANS = [
  { value: "7", label: "last 7 days" },
  { value: "30", label: "last 30 days" },
  { value: "90", label: "last 90 days" },
  { value: "365", label: "last 365 days" },
  { value: "own", label: "from … to …" },
];

/** What runs have cost, and what is left of the budget. */
export default function Page() {
  const [{ days, since, until }, set] = useUrlState({ days: "30", since: "", until: "" });
  const isOwn = days === "own";
  const span = isOwn ? { since, until } : { since: daysBefore(Number(days) - 1), until: today() };
  const asked = { ...span, zone: ZONE };
  return (
    <>
      <PageHead
        title="Cost"
        actions={
          <Group gap="xs">
            {isOwn && (
              <>
                <TextInput size="xs" type="date" aria-label="From" value={since} onChange={(event) => set({ since: event.currentTarget.value })} />
                <TextInput size="xs" type="date" aria-label="To" value={until} onChange={(event) => set({ until: event.currentTarget.value })} />
              </>
            )}
            <Select size="xs" aria-label="Time" allowDeselect={false} w={150} data={SPANS} value={days} onChange={(to) => to && set(to === "own" ? { days: to, since: span.since, until: span.until } : { days: to, since: "", until: "" })} />
          </Group>
        }
      />
      <Budgets />
      <Overview asked={asked} />
      <UrlTabs
        name="by"
        tabs={[
          { value: "agent", label: "Agents", panel: <Lines by="agent" asked={asked} /> },
          { value: "model", label: "Models", panel: <Lines by="model" asked={asked} /> },
          { value: "workflow", label: "Workflows", panel: <Lines by="workflow" asked={asked} /> },
          { value: "day", label: "Days", panel: <Lines by="day" asked={asked} /> },
          { value: "tenant", label: "Tenants", panel: <Lines by="tenant" asked={asked} /> },
        ]}
      />
      <Text size="xs" c="dimmed" mt="sm">
        A run counts on the day it ended, in {ZONE}, with what it used itself; what its children used counts for these.
      </Text>
    </>
  );
}
