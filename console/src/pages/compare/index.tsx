import { Anchor, Badge, Box, Button, Group, SimpleGrid, Stack, Switch, Text, UnstyledButton } from "@mantine/core";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef, useState } from "react";
import { useLocation, useParams } from "wouter";
import { piece, type Schemas, useGet, usePages } from "../../api";
import { Ago, Duration, durationText, Empty, JsonDiff, Loading, Money, moneyText, PageHead, ProblemNote, StatusBadge, useUrlState } from "../../ui";
import "./compare.css";

type Summary = Schemas["RunSummary"];
type Pair = Schemas["StepPair"];
type Row = Schemas["StepRow"];
type Detail = Schemas["StepDetail"];

const LINE_PX = 34;

/** Two runs side by side: what they were asked, what they did, and where they part. */
export default function ComparePage() {
  const params = useParams<{ left: string; right: string }>();
  const left = decodeURIComponent(params.left ?? "");
  const right = decodeURIComponent(params.right ?? "");
  const [, go] = useLocation();
  const a = useGet<Summary>(`/api/v1/runs/${piece(left)}/summary`);
  const b = useGet<Summary>(`/api/v1/runs/${piece(right)}/summary`);
  const problem = a.error ?? b.error;
  return (
    <>
      <PageHead
        title="Compare two runs"
        tab={`${left.slice(-8)} and ${right.slice(-8)}`}
        crumbs={[{ label: "Runs", href: "/runs" }]}
        actions={
          <Button size="compact-sm" variant="default" onClick={() => go(`/compare/${piece(right)}/${piece(left)}`)}>
            Swap
          </Button>
        }
      />
      {problem && <ProblemNote problem={problem} retry={() => (void a.refetch(), void b.refetch())} />}
      {!problem && (!a.data || !b.data) && <Loading />}
      {a.data && b.data && <Both left={a.data} right={b.data} />}
    </>
  );
}

function Both({ left, right }: { left: Summary; right: Summary }) {
  return (
    <Stack gap="md">
      <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="md">
        <Head run={left} side="Left" />
        <Head run={right} side="Right" />
      </SimpleGrid>
      <Parts left={left} right={right} />
      <Steps left={left.run_id} right={right.run_id} />
    </Stack>
  );
}

function Head({ run, side }: { run: Summary; side: string }) {
  return (
    <Box component="section" aria-label={`${side} run`} className="compare-head">
      <Group gap="xs" justify="space-between">
        <Anchor href={`#/runs/${piece(run.run_id)}`} fw={600} size="sm" style={{ overflowWrap: "anywhere" }}>
          {run.run_id}
        </Anchor>
        <StatusBadge status={run.status} />
      </Group>
      <Text size="sm" lineClamp={2}>
        {run.task.objective || run.agent}
      </Text>
      <Text size="xs" c="dimmed">
        {run.agent} · <Ago ts={run.created_ts} /> · <Duration ms={run.ended_ts === null ? null : run.ended_ts - run.created_ts} /> · <Money usd={run.cost_usd} />
      </Text>
    </Box>
  );
}

/** What was asked and what came of it, where it differs. */
function Parts({ left, right }: { left: Summary; right: Summary }) {
  const parts: [string, unknown, unknown][] = [
    ["Task", asked(left), asked(right)],
    ["Result", outcome(left), outcome(right)],
    ["Versions", left.definitions, right.definitions],
  ];
  return (
    <Stack gap={4}>
      {parts.map(([name, before, after]) => {
        const isSame = JSON.stringify(before) === JSON.stringify(after);
        return (
          <details key={name} className="compare-part">
            <summary>
              <Text span size="sm" fw={600}>
                {name}
              </Text>{" "}
              <Text span size="sm" c="dimmed">
                {isSame ? "the same" : "differs"}
              </Text>
            </summary>
            {isSame ? <Text size="sm" c="dimmed">Nothing differs.</Text> : <JsonDiff before={before} after={after} />}
          </details>
        );
      })}
    </Stack>
  );
}

function asked({ task }: Summary) {
  return { agent: task.agent, objective: task.objective, input: task.input, policy_profile: task.policy_profile };
}

function outcome({ status, payload, problem }: Summary) {
  return { status, payload, problem };
}

function Steps({ left, right }: { left: string; right: string }) {
  const { items, more, hasMore, isLoading, isFetching, problem, refetch } = usePages<Pair>("/api/v1/compare", { left, right });
  const [{ only }, setUrl] = useUrlState({ only: "" });
  const [opened, setOpened] = useState<number | null>(null);
  const box = useRef<HTMLDivElement>(null);
  const isOnly = only === "differing";
  const shown = isOnly ? items.filter(differs) : items;
  const virtual = useVirtualizer({ count: shown.length, getScrollElement: () => box.current, estimateSize: () => LINE_PX, overscan: 12 });
  const lines = virtual.getVirtualItems();
  const last = lines.at(-1)?.index ?? 0;
  useEffect(() => {
    if (hasMore && !isFetching && last >= shown.length - 20) more();
  }, [hasMore, isFetching, last, shown.length, more]);
  if (problem) return <ProblemNote problem={problem} retry={refetch} />;
  if (isLoading) return <Loading />;
  if (items.length === 0) return <Empty title="Neither run has a step yet">Look again when they have begun.</Empty>;
  const count = items.filter(differs).length;
  return (
    <section aria-label="Steps">
      <Group justify="space-between" mb={6}>
        <Text size="sm" role="status">
          {count.toLocaleString()} of {items.length.toLocaleString()}
          {hasMore ? "+" : ""} steps differ
        </Text>
        <Switch size="xs" label="Only what differs" checked={isOnly} onChange={(event) => setUrl({ only: event.currentTarget.checked ? "differing" : "" })} />
      </Group>
      {shown.length === 0 && !hasMore && <Empty title="Both runs did the same">Every step has the same input, output and decision.</Empty>}
      <div ref={box} className="compare-lines" tabIndex={0} role="region" aria-label="Steps of both runs">
        <div style={{ height: virtual.getTotalSize(), position: "relative" }}>
          {lines.map((line) => {
            const pair = shown[line.index]!;
            return (
              <div key={line.key} data-index={line.index} ref={virtual.measureElement} className="compare-place" style={{ transform: `translateY(${line.start}px)` }}>
                <UnstyledButton className="compare-line" data-differs={differs(pair) || undefined} aria-expanded={opened === line.index} onClick={() => setOpened(opened === line.index ? null : line.index)}>
                  <Side row={pair.left} />
                  <Side row={pair.right} />
                  <span className="compare-differs">
                    {pair.differs.map((name) => (
                      <Badge key={name} size="xs" variant="light" color="orange" tt="none">
                        {name}
                      </Badge>
                    ))}
                    {!(pair.left && pair.right) && (
                      <Badge size="xs" variant="light" color="blue" tt="none">
                        only {pair.left ? "left" : "right"}
                      </Badge>
                    )}
                  </span>
                </UnstyledButton>
                {opened === line.index && <Details left={left} right={right} pair={pair} />}
              </div>
            );
          })}
        </div>
      </div>
    </section>
  );
}

/** Cost and attempts alone make no difference that one looks for. */
function differs(pair: Pair): boolean {
  return !pair.left || !pair.right || pair.differs.some((name) => name !== "cost");
}

function Side({ row }: { row: Row | null }) {
  if (!row) return <span className="compare-side compare-none">–</span>;
  return (
    <span className="compare-side">
      <span className="compare-step">{row.step}</span>
      <span className="compare-name">{row.name}</span>
      <StatusBadge status={row.state} />
      <span className="compare-number">{row.ended_ts === null ? "…" : durationText(row.ended_ts - row.started_ts)}</span>
      <span className="compare-number">{Number(row.cost_usd) > 0 ? moneyText(row.cost_usd) : ""}</span>
    </span>
  );
}

function Details({ left, right, pair }: { left: string; right: string; pair: Pair }) {
  const a = useStep(left, pair.left);
  const b = useStep(right, pair.right);
  if (a.error ?? b.error) return <ProblemNote problem={a.error ?? b.error} />;
  if ((pair.left && !a.data) || (pair.right && !b.data)) return <Loading />;
  const parts: [string, unknown, unknown][] = [
    ["Went in", a.data?.input ?? null, b.data?.input ?? null],
    ["Came out", a.data?.output ?? null, b.data?.output ?? null],
    ["Policy", decided(pair.left), decided(pair.right)],
    ["Problem", pair.left?.problem || null, pair.right?.problem || null],
  ];
  return (
    <Stack gap="xs" p="sm" className="compare-detail">
      {parts
        .filter(([, before, after]) => before !== null || after !== null)
        .map(([name, before, after]) => (
          <div key={name}>
            <Text size="xs" fw={600} c="dimmed">
              {name}
            </Text>
            <JsonDiff before={before} after={after} />
          </div>
        ))}
      <Group gap="sm">
        {pair.left && <Anchor size="xs" c="inherit" underline="always" href={`#/runs/${piece(left)}/steps/${piece(pair.left.step)}?seq=${pair.left.seq}`}>Open on the left</Anchor>}
        {pair.right && <Anchor size="xs" c="inherit" underline="always" href={`#/runs/${piece(right)}/steps/${piece(pair.right.step)}?seq=${pair.right.seq}`}>Open on the right</Anchor>}
      </Group>
    </Stack>
  );
}

function decided(row: Row | null) {
  return row?.verdict ? { verdict: row.verdict, reason: row.reason, policies: row.policies } : null;
}

function useStep(run: string, row: Row | null) {
  return useGet<Detail>(`/api/v1/runs/${piece(run)}/steps/${piece(row?.step ?? "")}`, { seq: row?.seq }, { enabled: row !== null });
}
