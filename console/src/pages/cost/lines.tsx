import { Group, Progress, Text } from "@mantine/core";
import { piece, type Query, type Schemas } from "../../api";
import { DataTable, Empty, Loading, Money, ProblemNote } from "../../ui";
import { useReport } from "./report";

type Line = Schemas["CostLine"];

const TITLES: Record<string, string> = { agent: "Agent", model: "Model", workflow: "Workflow", day: "Day", tenant: "Tenant" };
const LEADS: Record<string, (name: string) => string> = {
  agent: (name) => `/runs?agent=${piece(name)}`,
  workflow: (name) => `/workflows/${piece(name.replace(/^workflow:/, ""))}`,
};

/** A line for each agent, model, workflow, day or tenant. */
export function Lines({ by, asked }: { by: string; asked: Query }) {
  const { data, error, isLoading, refetch } = useReport(by, asked);
  if (isLoading) return <Loading />;
  if (!data) return <ProblemNote problem={error} retry={() => void refetch()} />;
  const whole = Number(data.total.cost_usd);
  const rows = by === "day" ? [...data.lines].reverse().filter((line) => line.runs > 0) : data.lines;
  const lead = LEADS[by];
  return (
    <>
      <ProblemNote problem={error} retry={() => void refetch()} />
      <DataTable
        name={`costs by ${by}`}
        rows={rows}
        rowKey={(line) => line.name}
        href={lead && ((line) => lead(line.name))}
        empty={<Empty title="Nothing has cost anything">{by === "workflow" ? "No workflow ended in this time." : "No run ended in this time. Choose a longer one, or start a run."}</Empty>}
        columns={[
          { key: "name", title: TITLES[by] ?? by, cell: (line) => <Text size="sm" truncate maw={380} title={line.name}>{line.name}</Text>, csv: (line) => line.name },
          { key: "cost", title: "Cost", align: "right", cell: (line) => <Money usd={line.cost_usd} />, csv: (line) => line.cost_usd, width: 110 },
          { key: "share", title: "Share", cell: (line) => <Share of={Number(line.cost_usd)} whole={whole} name={line.name} />, width: 150 },
          { key: "runs", title: "Runs", align: "right", cell: (line) => line.runs.toLocaleString(), csv: (line) => line.runs, width: 80 },
          { key: "failed", title: "Failed", align: "right", cell: (line) => <Failed line={line} />, csv: (line) => line.failed, width: 80 },
          { key: "in", title: "Tokens in", align: "right", cell: (line) => line.input_tokens.toLocaleString(), csv: (line) => line.input_tokens },
          { key: "out", title: "Tokens out", align: "right", cell: (line) => line.output_tokens.toLocaleString(), csv: (line) => line.output_tokens },
          { key: "cached", title: "Cached", align: "right", cell: (line) => line.cache_read_tokens.toLocaleString(), csv: (line) => line.cache_read_tokens },
          { key: "models", title: "Model calls", align: "right", cell: (line) => line.model_calls.toLocaleString(), csv: (line) => line.model_calls },
          { key: "tools", title: "Tool calls", align: "right", cell: (line) => line.tool_calls.toLocaleString(), csv: (line) => line.tool_calls },
        ]}
      />
      {(data.left_out ?? 0) > 0 && (
        <Text size="xs" c="dimmed">
          {data.left_out} more that cost less are in the total only.
        </Text>
      )}
      {by === "workflow" && rows.length > 0 && (
        <Text size="xs" c="dimmed">
          A workflow's line has what it called, too; one within another counts in both.
        </Text>
      )}
    </>
  );
}

function Failed({ line }: { line: Line }) {
  return (
    <Text span inherit c={line.failed > 0 ? "var(--mantine-color-error)" : undefined}>
      {line.failed.toLocaleString()}
    </Text>
  );
}

function Share({ of, whole, name }: { of: number; whole: number; name: string }) {
  const share = whole > 0 ? Math.min(100, (of / whole) * 100) : 0;
  return (
    <Group gap={6} wrap="nowrap">
      <Progress value={share} w={80} aria-label={`${share.toFixed(0)} % of the cost is ${name}'s`} />
      <Text size="xs" c="dimmed">
        {share.toFixed(0)} %
      </Text>
    </Group>
  );
}
