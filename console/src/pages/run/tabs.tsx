import { Anchor, Button, Group, Progress, Stack, Table, Text } from "@mantine/core";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef } from "react";
import { piece, type Schemas, useGet, usePages } from "../../api";
import { Ago, DataTable, Duration, durationText, Empty, Loading, Money, moneyText, ProblemNote, StatusBadge, Ticks, When } from "../../ui";
import { type Row, runPath, type Summary, type Timeline, useEvents, useSteps } from "./data";
import { EventMessage, isMessage } from "./message";

/** The conversation: what was asked, said and answered. */
export function Messages({ run }: { run: string }) {
  const { items, more, hasMore, isLoading, isFetching, problem } = useEvents(run);
  const messages = useMemo(() => items.filter(isMessage), [items]);
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({ count: messages.length, getScrollElement: () => box.current, estimateSize: () => 120, overscan: 6, getItemKey: (at) => messages[at]!.seq });
  const shown = virtual.getVirtualItems();
  const last = shown.at(-1)?.index ?? 0;
  useEffect(() => {
    if (hasMore && last >= messages.length - 10) more();
  }, [hasMore, last, messages.length, more]);
  if (problem) return <ProblemNote problem={problem} />;
  if (isLoading) return <Loading />;
  return (
    <>
      <div ref={box} style={{ height: "calc(100vh - 330px)", minHeight: 320, overflow: "auto" }} tabIndex={0} role="region" aria-label="Messages">
        <div style={{ height: virtual.getTotalSize(), position: "relative" }}>
          {shown.map((item) => (
            <div key={item.key} data-index={item.index} ref={virtual.measureElement} style={{ position: "absolute", top: 0, left: 0, right: 0, transform: `translateY(${item.start}px)`, paddingBottom: 12 }}>
              <EventMessage event={messages[item.index]!} />
            </div>
          ))}
        </div>
      </div>
      <Text size="xs" c="dimmed" mt={4}>
        {messages.length.toLocaleString()}
        {hasMore ? "+" : ""} messages{isFetching ? ", loading more" : ""}
      </Text>
    </>
  );
}

/** What the run called, and what policy said to it. */
export function Calls({ run, onSelect }: { run: string; onSelect: (row: Row) => void }) {
  const { items, more, hasMore, isLoading, problem } = useSteps(run, "tool");
  if (problem) return <ProblemNote problem={problem} />;
  if (isLoading) return <Loading />;
  return (
    <DataTable<Row>
      name="tool calls"
      rows={items}
      rowKey={(row) => `${row.seq}`}
      onRow={onSelect}
      more={more}
      hasMore={hasMore}
      empty={<Empty title="This run called no tool">Every call of a tool appears here with the decision of policy and its reason.</Empty>}
      columns={[
        { key: "step", title: "Step", width: 90, cell: (row) => <Button size="compact-xs" variant="subtle" onClick={() => onSelect(row)}>{row.step}</Button>, csv: (row) => row.step },
        { key: "tool", title: "Tool", cell: (row) => row.name, csv: (row) => row.name },
        { key: "verdict", title: "Policy", width: 130, cell: (row) => (row.verdict ? <StatusBadge status={row.verdict} /> : "–"), csv: (row) => row.verdict },
        { key: "reason", title: "Reason", cell: (row) => <Text size="sm"><Ticks text={row.reason || row.policies.join(", ") || "–"} /></Text>, csv: (row) => `${row.reason} ${row.policies.join(" ")}`.trim() },
        { key: "state", title: "State", width: 110, cell: (row) => <StatusBadge status={row.state} />, csv: (row) => row.state },
        { key: "took", title: "Took", width: 90, align: "right", cell: (row) => <Duration ms={row.ended_ts === null ? null : row.ended_ts - row.started_ts} />, csv: (row) => (row.ended_ts === null ? "" : row.ended_ts - row.started_ts) },
        { key: "problem", title: "Problem", cell: (row) => <Text size="sm" lineClamp={1} title={row.problem}>{row.problem}</Text>, csv: (row) => row.problem },
      ]}
    />
  );
}

type Approval = Schemas["Approval"];

/** What people were asked by this run. */
export function Approvals({ run }: { run: string }) {
  const { data, error, refetch } = useGet<Schemas["ApprovalPage"]>(runPath(run, "/approvals"));
  if (error) return <ProblemNote problem={error} retry={() => void refetch()} />;
  if (!data) return <Loading />;
  return (
    <DataTable<Approval>
      name="approvals"
      rows={data.items}
      rowKey={(row) => row.approval_id}
      href={(row) => `/approvals/${piece(row.approval_id)}`}
      empty={<Empty title="Nobody was asked">A call that policy allows only with a person's approval appears here.</Empty>}
      columns={[
        { key: "tool", title: "What", cell: (row) => <Anchor size="sm" href={`#/approvals/${piece(row.approval_id)}`}>{row.tool}</Anchor>, csv: (row) => row.tool },
        { key: "step", title: "Step", width: 90, cell: (row) => row.step, csv: (row) => row.step },
        { key: "status", title: "Status", width: 140, cell: (row) => <StatusBadge status={row.status} />, csv: (row) => row.status },
        { key: "why", title: "Why", cell: (row) => <Text size="sm" lineClamp={2}><Ticks text={row.explanation} /></Text>, csv: (row) => row.explanation },
        { key: "by", title: "Decided by", cell: (row) => row.votes.map((vote) => `${vote.approver_id}: ${vote.kind.replaceAll("_", " ")}`).join(", ") || "–", csv: (row) => row.votes.map((vote) => `${vote.approver_id} ${vote.kind}`).join(", ") },
        { key: "asked", title: "Asked", width: 110, cell: (row) => <Ago ts={row.requested_ts} />, csv: (row) => row.requested_ts },
      ]}
    />
  );
}

type FamilyRun = Schemas["FamilyRun"];

/** Whom the run handed parts of its task to. */
export function Handoffs({ run, summary }: { run: string; summary: Summary }) {
  const { items, more, hasMore, isLoading, problem } = usePages<FamilyRun>(runPath(run, "/family"));
  if (problem) return <ProblemNote problem={problem} />;
  if (isLoading) return <Loading />;
  return (
    <Stack gap="xs">
      {summary.parent_run && (
        <Text size="sm">
          This run was started by step {summary.parent_step} of <Anchor href={`#/runs/${piece(summary.parent_run)}/steps/${piece(summary.parent_step)}`}>{summary.parent_run}</Anchor>.
        </Text>
      )}
      <DataTable<FamilyRun>
        name="runs below this one"
        rows={items}
        rowKey={(row) => row.run_id}
        href={(row) => `/runs/${piece(row.run_id)}`}
        more={more}
        hasMore={hasMore}
        empty={<Empty title="It handed nothing to another agent">Agents with `delegates` may ask others; each such run appears here with what it cost.</Empty>}
        columns={[
          { key: "agent", title: "Agent", cell: (row) => <Anchor size="sm" href={`#/runs/${piece(row.run_id)}`}>{row.agent}</Anchor>, csv: (row) => row.agent },
          { key: "step", title: "Step", width: 90, cell: (row) => row.step, csv: (row) => row.step },
          { key: "objective", title: "Objective", cell: (row) => <Text size="sm" lineClamp={2}>{row.objective}</Text>, csv: (row) => row.objective },
          { key: "status", title: "Status", width: 110, cell: (row) => <StatusBadge status={row.status} />, csv: (row) => row.status },
          { key: "took", title: "Took", width: 90, align: "right", cell: (row) => <Duration ms={row.ended_ts !== null && row.started_ts !== null ? row.ended_ts - row.started_ts : null} />, csv: (row) => (row.ended_ts !== null && row.started_ts !== null ? row.ended_ts - row.started_ts : "") },
          { key: "cost", title: "Cost with what is below", width: 140, align: "right", cell: (row) => <Money usd={row.cost_usd} />, csv: (row) => row.cost_usd },
        ]}
      />
    </Stack>
  );
}

/** What was used of the budget, and by whom. */
export function Costs({ summary, timeline }: { summary: Summary; timeline: Timeline | undefined }) {
  const { data: family, error } = useGet<Schemas["FamilyPage"]>(runPath(summary.run_id, "/family"), { limit: 1 });
  if (!timeline) return <Loading />;
  const { usage, lanes } = timeline.overview;
  const { budget } = summary;
  const wall = (summary.ended_ts ?? timeline.overview.ended_ts) - summary.created_ts;
  const tokens = usage.input_tokens + usage.output_tokens + usage.cache_read_tokens + usage.cache_write_tokens;
  const limits: [string, number, number | null, (value: number) => string][] = [
    ["Cost", Number(usage.cost_usd), budget.max_cost_usd === null ? null : Number(budget.max_cost_usd), moneyText],
    ["Tokens", tokens, budget.max_tokens, plain],
    ["Questions to models", usage.model_calls, budget.max_model_calls, plain],
    ["Calls of tools", usage.tool_calls, budget.max_tool_calls, plain],
    ["Runs below", usage.children, budget.max_children, plain],
    ["Time", wall, budget.max_wall_s === null ? null : budget.max_wall_s * 1000, durationText],
  ];
  const most = Math.max(...(family?.shares ?? []).map((share) => Number(share.cost_usd)), 0);
  return (
    <Stack gap="lg">
      <Table aria-label="Budget" maw={760}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Budget</Table.Th>
            <Table.Th ta="right">Used</Table.Th>
            <Table.Th ta="right">Limit</Table.Th>
            <Table.Th w="35%">Part</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {limits.map(([name, used, limit, say]) => (
            <Table.Tr key={name}>
              <Table.Td>{name}</Table.Td>
              <Table.Td ta="right">{say(used)}</Table.Td>
              <Table.Td ta="right">{limit === null ? "none" : say(limit)}</Table.Td>
              <Table.Td>{limit !== null && <Progress value={Math.min(100, (used / (limit || 1)) * 100)} color={used > limit * 0.9 ? "red" : undefined} aria-label={`${name} used`} />}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      <ProblemNote problem={error} />
      {family && (
        <Table aria-label="Cost by agent" maw={760}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Agent</Table.Th>
              <Table.Th ta="right">Runs</Table.Th>
              <Table.Th ta="right">Own cost</Table.Th>
              <Table.Th w="35%">Share</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {family.shares.map((share) => (
              <Table.Tr key={share.agent}>
                <Table.Td>{share.agent}</Table.Td>
                <Table.Td ta="right">{share.runs.toLocaleString()}</Table.Td>
                <Table.Td ta="right">{moneyText(share.cost_usd)}</Table.Td>
                <Table.Td>
                  <Progress value={most > 0 ? (Number(share.cost_usd) / most) * 100 : 0} aria-label={`share of ${share.agent}`} />
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
      {family && !family.shares_complete && (
        <Text size="sm" c="dimmed">
          The family is larger: {family.shared_runs.toLocaleString()} of its runs are counted.
        </Text>
      )}
      {lanes.length > 0 && (
        <Text size="sm" c="dimmed">
          {lanes.map((lane) => `${lane.agent}: at work for ${durationText(lane.busy_ms)}`).join(" · ")}
          {!timeline.complete && " (still reading)"}
        </Text>
      )}
      {!summary.ended_ts && <Text size="xs" c="dimmed">The cost of runs below counts once they have ended.</Text>}
    </Stack>
  );
}

function plain(value: number): string {
  return value.toLocaleString();
}

/** The events themselves, in their chain. */
export function Events({ run }: { run: string }) {
  const { items, more, hasMore, isLoading, problem } = useEvents(run);
  if (problem) return <ProblemNote problem={problem} />;
  if (isLoading) return <Loading />;
  return (
    <DataTable
      name="events"
      rows={items}
      rowKey={(event) => `${event.seq}`}
      more={more}
      hasMore={hasMore}
      height={420}
      columns={[
        { key: "seq", title: "Seq", width: 80, cell: (event) => event.seq, csv: (event) => event.seq },
        { key: "ts", title: "When", width: 210, cell: (event) => <When ts={event.ts} />, csv: (event) => event.ts },
        { key: "type", title: "Event", cell: (event) => event.type, csv: (event) => event.type },
        { key: "step", title: "Step", cell: (event) => String(event.data.step ?? event.data.visit ?? ""), csv: (event) => String(event.data.step ?? event.data.visit ?? "") },
        { key: "hash", title: "Chain hash", cell: (event) => <Group gap={4}><code title={event.hash}>{event.hash.slice(0, 16)}…</code></Group>, csv: (event) => event.hash },
      ]}
    />
  );
}
