import { Anchor, Alert, Group, Stack, Text } from "@mantine/core";
import { useEffect } from "react";
import { useLocation, useParams } from "wouter";
import { piece, useGet } from "../../api";
import { Ago, Duration, Loading, Money, PageHead, ProblemNote, StatusBadge, UrlTabs, useNow, useUrlState, When } from "../../ui";
import { Actions } from "./actions";
import { Artifacts } from "./artifacts";
import { Audit } from "./audit";
import { type Row, runPath, type Summary, type Timeline, useLiveRun, useTimeline } from "./data";
import { ProblemText, Value } from "./message";
import "./run.css";
import { Steps } from "./steps";
import { Approvals, Calls, Costs, Handoffs, Messages } from "./tabs";

/** One run: what it did, why, and what it cost. */
export default function RunPage() {
  const { id = "", step } = useParams<{ id: string; step?: string }>();
  const run = decodeURIComponent(id);
  const [, go] = useLocation();
  // A link to a step is the page with that step opened.
  const isLink = step !== undefined;
  useEffect(() => {
    if (!isLink) return;
    const given = new URLSearchParams(location.hash.split("?")[1] ?? "");
    const query = new URLSearchParams({ step: decodeURIComponent(step), ...(given.get("seq") ? { seq: given.get("seq")! } : {}) });
    go(`/runs/${piece(run)}?${query.toString()}`, { replace: true });
  }, [isLink, step, run, go]);
  if (isLink) return <Loading />;
  return <Run key={run} id={run} />;
}

function Run({ id }: { id: string }) {
  const { data: summary, error, refetch } = useGet<Summary>(runPath(id, "/summary"));
  const { data: timeline, error: timelineError, refetch: again } = useTimeline(id);
  const { said, problem } = useLiveRun(id, summary);
  const [, setUrl] = useUrlState({ tab: "steps", step: "", seq: "", of: "" });
  if (error) {
    return (
      <>
        <PageHead title="Run" crumbs={[{ label: "Runs", href: "/runs" }]} />
        <ProblemNote problem={error} retry={() => void refetch()} />
      </>
    );
  }
  if (!summary) return <Loading />;
  const open = (row: Row) => setUrl({ tab: "steps", step: row.step, seq: `${row.seq}`, of: "" });
  const steps = timeline?.overview.steps;
  return (
    <>
      <PageHead title={summary.task.objective.slice(0, 160) || summary.agent} tab={`${summary.agent} ${id.slice(-8)} [${summary.status.toUpperCase()}]`} crumbs={[{ label: "Runs", href: "/runs" }]} actions={<Actions summary={summary} />} />
      <Facts summary={summary} timeline={timeline} />
      <Outcome summary={summary} timeline={timeline} />
      <ProblemNote problem={problem ?? timelineError} retry={() => void again()} />
      <UrlTabs
        tabs={[
          { value: "steps", label: "Steps", count: steps, panel: timeline ? <Steps id={id} summary={summary} timeline={timeline} said={said} /> : <Loading label="Reading the run" /> },
          { value: "messages", label: "Messages", panel: <Messages run={id} /> },
          { value: "calls", label: "Tool calls", panel: <Calls run={id} onSelect={open} /> },
          { value: "approvals", label: "Approvals", count: summary.open_approvals, panel: <Approvals run={id} /> },
          { value: "handoffs", label: "Handoffs", panel: <Handoffs run={id} summary={summary} /> },
          { value: "cost", label: "Budget and cost", panel: <Costs summary={summary} timeline={timeline} /> },
          { value: "artifacts", label: "Artifacts", panel: <Artifacts run={id} /> },
          { value: "audit", label: "Audit", panel: <Audit run={id} summary={summary} /> },
        ]}
      />
    </>
  );
}

function Facts({ summary, timeline }: { summary: Summary; timeline: Timeline | undefined }) {
  const now = useNow();
  const usage = timeline?.overview.usage;
  const tokens = usage ? usage.input_tokens + usage.output_tokens + usage.cache_read_tokens + usage.cache_write_tokens : null;
  const cost = summary.ended_ts === null && usage ? usage.cost_usd : summary.cost_usd;
  const forked = summary.forked_from.split("#");
  return (
    <Group gap="md" mb="sm" wrap="wrap">
      <StatusBadge status={summary.status} />
      <Text size="sm">
        <Anchor inherit href={`#/registry/${summary.kind === "workflow" ? "workflow" : "agent"}/${piece(summary.agent)}`}>
          {summary.agent}
        </Anchor>
      </Text>
      <Text size="sm" c="dimmed">
        began <When ts={summary.created_ts} /> (<Ago ts={summary.created_ts} />)
      </Text>
      <Text size="sm" c="dimmed">
        {summary.ended_ts === null ? "for" : "took"} <Duration ms={Math.max(0, (summary.ended_ts ?? now) - summary.created_ts)} />
      </Text>
      <Text size="sm" c="dimmed">
        <Money usd={cost} />
        {tokens !== null && tokens > 0 && `, ${tokens.toLocaleString()} tokens`}
      </Text>
      {summary.parent_run && (
        <Anchor size="sm" href={`#/runs/${piece(summary.parent_run)}/steps/${piece(summary.parent_step)}`}>
          parent run
        </Anchor>
      )}
      {summary.forked_from && (
        <Anchor size="sm" href={`#/compare/${piece(forked[0]!)}/${piece(summary.run_id)}`}>
          forked from {forked[0]!.slice(0, 14)}… at {forked[1] || "its failure"}
        </Anchor>
      )}
      {summary.task.session_id && (
        <Anchor size="sm" href={`#/chat/${piece(summary.task.session_id)}`}>
          conversation
        </Anchor>
      )}
      <Text size="xs" c="dimmed" ff="monospace">
        {summary.run_id}
      </Text>
    </Group>
  );
}

/** What came out, or what it waits for, or where it failed. */
function Outcome({ summary, timeline }: { summary: Summary; timeline: Timeline | undefined }) {
  if (summary.problem) {
    return (
      <Alert color="red" variant="light" mb="sm" p="xs" role="alert">
        <Stack gap={2}>
          <ProblemText problem={summary.problem} />
          <Path timeline={timeline} />
        </Stack>
      </Alert>
    );
  }
  if (summary.ended_ts === null && summary.waiting_on.length > 0) {
    return (
      <Alert color="yellow" variant="light" mb="sm" p="xs">
        <Text size="sm" component="div">
          Waits for{" "}
          {summary.waiting_on.slice(0, 5).map((name, place) => (
            <span key={name}>
              {place > 0 && ", "}
              <Waited name={name} />
            </span>
          ))}
          {summary.waiting_on.length > 5 && ` and ${summary.waiting_on.length - 5} more`}
        </Text>
      </Alert>
    );
  }
  if (summary.status !== "success" || summary.payload === null) return null;
  return (
    <details style={{ marginBottom: 8 }}>
      <summary>
        <Text span size="sm" fw={600}>
          Result
        </Text>{" "}
        <Text span size="sm" c="dimmed">
          {short(summary.payload)}
        </Text>
      </summary>
      <div className="run-message" data-who="model">
        <Value value={summary.payload} label="result" />
      </div>
    </details>
  );
}

function short(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > 140 ? `${text.slice(0, 140)}…` : text;
}

function Waited({ name }: { name: string }) {
  const [kind, ...rest] = name.split(":");
  const what = rest.join(":");
  if (kind === "approval") return <Anchor inherit c="inherit" underline="always" href={`#/approvals/${piece(what)}`}>a person’s decision</Anchor>;
  if (kind === "child") return <Anchor inherit c="inherit" underline="always" href={`#/runs/${piece(what)}`}>a run below</Anchor>;
  if (kind === "timer") return <>the time {<When ts={Number(what)} />}</>;
  return <>{name}</>;
}

function Path({ timeline }: { timeline: Timeline | undefined }) {
  if (!timeline || timeline.path.length === 0) return null;
  return (
    <Group gap={6}>
      <Text size="xs" c="dimmed">
        It came about in
      </Text>
      {timeline.path.map((place, index) => (
        <Group gap={6} key={`${place.run_id}${place.step}`}>
          {index > 0 && (
            <Text size="xs" c="dimmed">
              ›
            </Text>
          )}
          <Anchor size="xs" c="inherit" underline="always" href={`#/runs/${piece(place.run_id)}?step=${encodeURIComponent(place.step)}&seq=${place.seq}`}>
            {place.agent}: {place.name} ({place.step})
          </Anchor>
        </Group>
      ))}
    </Group>
  );
}
