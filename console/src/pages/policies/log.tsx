import { Anchor, Button, Group, Select, Stack, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { piece, type Schemas, usePages } from "../../api";
import { Ago, DataTable, Empty, Loading, ProblemNote, StatusBadge, useUrlState } from "../../ui";

type Row = Schemas["Decided"];

const VERDICTS = [
  { value: "", label: "every verdict" },
  { value: "allow", label: "let through" },
  { value: "needs_approval", label: "needs approval" },
  { value: "deny", label: "refused" },
];
const HOUR = 3_600_000;
const SPANS: readonly (readonly [string, string, number])[] = [
  ["", "any time", 0],
  ["1h", "the last hour", HOUR],
  ["1d", "the last day", 24 * HOUR],
  ["7d", "the last 7 days", 168 * HOUR],
  ["30d", "the last 30 days", 720 * HOUR],
];
const MINUTE = 60_000;

/** What policy said of the calls that runs made, newest first. */
export function Log() {
  const [{ verdict, tool, agent, span }, set] = useUrlState({ verdict: "", tool: "", agent: "", span: "" });
  const [filters] = useDebouncedValue({ tool, agent }, 300);
  const length = SPANS.find(([value]) => value === span)?.[2] ?? 0;
  // To the minute, so that looking again asks the same.
  const since = length ? Math.floor((Date.now() - length) / MINUTE) * MINUTE : undefined;
  const found = usePages<Row>("/api/v1/policies/decisions", { verdict, ...filters, since, limit: 100 });
  return (
    <Stack gap="sm">
      <Group>
        <Select size="xs" aria-label="Verdict" allowDeselect={false} data={VERDICTS} value={verdict} onChange={(to) => set({ verdict: to ?? "" })} />
        <TextInput size="xs" aria-label="Tool" placeholder="tool" maxLength={200} value={tool} onChange={(event) => set({ tool: event.currentTarget.value })} />
        <TextInput size="xs" aria-label="Agent" placeholder="agent" maxLength={200} value={agent} onChange={(event) => set({ agent: event.currentTarget.value })} />
        <Select size="xs" aria-label="When" allowDeselect={false} data={SPANS.map(([value, label]) => ({ value, label }))} value={span} onChange={(to) => set({ span: to ?? "" })} />
        <Button size="xs" variant="default" onClick={found.refetch}>
          Look again
        </Button>
      </Group>
      <ProblemNote problem={found.problem} retry={found.refetch} />
      {found.isLoading ? (
        <Loading />
      ) : (
        <DataTable
          name="decisions"
          rows={found.items}
          rowKey={(row) => `${row.run_id}/${row.step}/${row.verdict}/${row.at}`}
          href={(row) => `/runs/${piece(row.run_id)}/steps/${piece(row.step)}`}
          more={found.more}
          hasMore={found.hasMore}
          empty={found.hasMore ? <Further more={found.more} /> : <Nothing />}
          columns={[
            { key: "at", title: "When", cell: (row) => <Ago ts={row.at} />, csv: (row) => new Date(row.at).toISOString(), width: 110 },
            { key: "verdict", title: "Verdict", cell: (row) => <StatusBadge status={row.verdict} />, csv: (row) => row.verdict, width: 140 },
            { key: "resource", title: "Call", cell: (row) => <Call row={row} />, csv: (row) => row.resource },
            { key: "agent", title: "Agent", cell: (row) => row.agent || "–", csv: (row) => row.agent },
            { key: "policies", title: "Decided by", cell: (row) => <Cut text={(row.policies ?? []).join(", ")} />, csv: (row) => (row.policies ?? []).join(" ") },
            { key: "why", title: "What came of it", cell: (row) => <Outcome row={row} />, csv: (row) => row.outcome || row.reason },
          ]}
        />
      )}
    </Stack>
  );
}

function Call({ row }: { row: Row }) {
  return (
    <Group gap={6} wrap="nowrap">
      <Cut text={row.resource} />
      {row.kind !== "tool" && (
        <Text size="xs" c="dimmed">
          {row.kind}
        </Text>
      )}
    </Group>
  );
}

function Outcome({ row }: { row: Row }) {
  if (row.outcome)
    return (
      <Group gap={6} wrap="nowrap">
        <StatusBadge status={row.outcome} />
        {row.approval_id && <Anchor size="xs" href={`#/approvals/${piece(row.approval_id)}?state=all`}>approved</Anchor>}
      </Group>
    );
  return (
    <Group gap={6} wrap="nowrap">
      {row.approval_id && (
        <Anchor size="sm" href={`#/approvals/${piece(row.approval_id)}?state=all`} style={{ flexShrink: 0 }}>
          the approval
        </Anchor>
      )}
      <Cut text={row.reason ?? ""} />
    </Group>
  );
}

function Cut({ text }: { text: string }) {
  return (
    <Text size="sm" lineClamp={2} title={text} style={{ overflowWrap: "anywhere" }}>
      {text || "–"}
    </Text>
  );
}

function Further({ more }: { more: () => void }) {
  return (
    <Empty title="None among the newest" action={<Button size="xs" variant="default" onClick={more}>Look further back</Button>}>
      Only so many records are looked through at once.
    </Empty>
  );
}

function Nothing() {
  return <Empty title="No decision fits">Every call of a tool is decided by policy: start a run, or widen the filters.</Empty>;
}
