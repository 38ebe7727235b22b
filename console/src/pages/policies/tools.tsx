import { Badge, Drawer, Group, SegmentedControl, Stack, Text, TextInput, Tooltip } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useState } from "react";
import { type Schemas, usePages } from "../../api";
import { DataTable, Empty, Fact, Loading, ProblemNote, RiskBadge, StatusBadge, statusColor, useUrlState } from "../../ui";

type Tool = Schemas["ToolPolicy"];
type Verdict = Schemas["ToolVerdict"];

const WORDS: Record<string, string> = { allow: "runs", needs_approval: "asks", deny: "refused" };
const HEADS: Record<string, string> = {
  plain: "Ordinary",
  over_limit: "Over limit",
  private: "Private",
  tainted: "Tainted",
  tainted_private: "Tainted + private",
  composed_target: "Made-up target",
  untrusted_target: "Untrusted target",
};

/** Each tool, and what policy says of a call of it in the situations that matter. */
export function Tools({ profile }: { profile: string }) {
  const [{ agent, only }, set] = useUrlState({ agent: "", only: "all" });
  const [asked] = useDebouncedValue(agent, 250);
  const found = usePages<Tool>("/api/v1/policies/tools", { profile, agent: asked, limit: 200 });
  const [open, setOpen] = useState<Tool | null>(null);
  const situations = (found.first as Schemas["ToolPolicies"] | undefined)?.situations ?? [];
  const rows = only === "asks" ? found.items.filter((tool) => tool.verdicts.some((one) => one.verdict !== "allow")) : found.items;
  if (found.isLoading) return <Loading />;
  return (
    <Stack gap="sm">
      <ProblemNote problem={found.problem} retry={found.refetch} />
      <Group>
        <SegmentedControl size="xs" aria-label="Which tools" value={only} onChange={(to) => set({ only: to })} data={[{ value: "all", label: "All tools" }, { value: "asks", label: "Not always allowed" }]} />
        <TextInput size="xs" aria-label="Agent" placeholder="as this agent (any)" maxLength={200} value={agent} onChange={(event) => set({ agent: event.currentTarget.value })} />
        <Text size="xs" c="dimmed">
          A run is tainted once it has read untrusted content.
        </Text>
      </Group>
      <DataTable
        name="tools"
        rows={rows}
        rowKey={(tool) => tool.tool}
        onRow={setOpen}
        more={found.more}
        hasMore={found.hasMore}
        empty={<Empty title="No tools">Packs and MCP servers bring tools: add one to remit.toml.</Empty>}
        columns={[
          { key: "tool", title: "Tool", cell: (tool) => <Text size="sm" fw={600} style={{ overflowWrap: "anywhere" }}>{tool.tool}</Text>, csv: (tool) => tool.tool },
          { key: "risk", title: "Risk", cell: (tool) => <RiskBadge risk={tool.risk} />, csv: (tool) => tool.risk, width: 70 },
          { key: "outward", title: "Outwards", cell: (tool) => (tool.outward ? "yes" : "no"), csv: (tool) => String(tool.outward), width: 90 },
          ...situations.map((one) => ({
            key: one.name,
            title: HEADS[one.name] ?? one.name,
            cell: (tool: Tool) => <Says verdict={tool.verdicts.find((verdict) => verdict.situation === one.name)} />,
            csv: (tool: Tool) => tool.verdicts.find((verdict) => verdict.situation === one.name)?.verdict,
          })),
        ]}
      />
      <Drawer opened={open !== null} onClose={() => setOpen(null)} position="right" size="lg" title={open?.tool}>
        {open && <Why tool={open} situations={situations} />}
      </Drawer>
    </Stack>
  );
}

function Says({ verdict }: { verdict: Verdict | undefined }) {
  if (!verdict) return <span>–</span>;
  return (
    <Tooltip label={verdict.policies.join(", ") || "no policy permits it"} multiline maw={360}>
      <Badge variant={verdict.verdict === "allow" ? "transparent" : "light"} color={statusColor(verdict.verdict)} radius="sm" tt="none">
        {WORDS[verdict.verdict] ?? verdict.verdict}
      </Badge>
    </Tooltip>
  );
}

function Why({ tool, situations }: { tool: Tool; situations: readonly Schemas["Situation"][] }) {
  return (
    <Stack>
      <Text size="sm">{tool.description}</Text>
      <Fact name="Risk">
        {tool.risk}, tier {tool.tier}
      </Fact>
      <Fact name="Approved by">{tool.approvers && tool.approvers.length > 0 ? `${tool.quorum} of ${tool.approvers.join(", ")}` : "never needed"}</Fact>
      {tool.verdicts.map((one) => (
        <Stack gap={2} key={one.situation}>
          <Group gap="xs">
            <StatusBadge status={one.verdict} />
            <Text size="sm">when the run {situations.find((known) => known.name === one.situation)?.title}</Text>
          </Group>
          <Text size="sm" c="dimmed" style={{ overflowWrap: "anywhere" }}>
            {one.reason}
          </Text>
        </Stack>
      ))}
    </Stack>
  );
}
