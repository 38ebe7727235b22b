import { Anchor, Badge, Button, CopyButton, Group, Stack, Text, Tooltip } from "@mantine/core";
import { useState } from "react";
import { piece, useCan, useGet, whyNot } from "../../api";
import { Duration, Empty, Fact, Json, Loading, moneyText, ProblemNote, StatusBadge, Ticks, When } from "../../ui";
import { ArtifactOf } from "./artifacts";
import { type Detail, runPath, type Summary } from "./data";
import { ForkDialog } from "./fork";
import { EventMessage, MessageBlocks, ProblemText, Value } from "./message";

/** Everything about one step. */
export function Inspector({ run, step, seq, summary, isLive }: { run: string; step: string; seq: number | null; summary: Summary | undefined; isLive: boolean }) {
  const { data, error, refetch } = useGet<Detail>(runPath(run, `/steps/${piece(step)}`), { seq: seq ?? undefined }, { placeholderData: (before) => before, refetchInterval: ({ state }) => (isLive && state.data?.row.end_seq === null ? 3000 : false) });
  if (error) return <ProblemNote problem={error} retry={() => void refetch()} />;
  if (!data) return <Loading />;
  if (data.row.step !== step) return <Loading label={`Loading ${step}`} />;
  return <Shown detail={data} run={run} summary={summary} />;
}

function Shown({ detail, run, summary }: { detail: Detail; run: string; summary: Summary | undefined }) {
  const { row } = detail;
  const [isForking, setForking] = useState(false);
  const canRun = useCan("run");
  const isOwn = summary?.run_id === run;
  const why = whyNot(canRun, "run") ?? forkable(summary, isOwn);
  return (
    <Stack gap="sm">
      <Group justify="space-between" align="flex-start" wrap="nowrap">
        <div style={{ minWidth: 0 }}>
          <Text fw={600} style={{ overflowWrap: "anywhere" }} component="h2" size="md" m={0}>
            {row.name}
          </Text>
          <Text size="xs" c="dimmed">
            {row.kind} {row.step} · {row.lane}
          </Text>
        </div>
        <StatusBadge status={row.state} />
      </Group>
      {(detail.problem || row.problem) && (
        <div className="run-message" data-who="problem">
          {detail.problem ? <ProblemText problem={detail.problem} /> : <Text size="sm">{row.problem}</Text>}
        </div>
      )}
      <Facts detail={detail} />
      <Group gap="xs">
        <Tooltip label={why ?? "A new run that takes over what came before this step"}>
          <Button size="compact-sm" variant="default" data-disabled={why ? true : undefined} aria-disabled={Boolean(why)} onClick={() => !why && setForking(true)}>
            Fork from here …
          </Button>
        </Tooltip>
        {row.child_run && (
          <Button size="compact-sm" variant="default" component="a" href={`#/runs/${piece(row.child_run)}`}>
            Open the run of {row.lane}
          </Button>
        )}
        <CopyButton value={`${location.href.split("#")[0]}#/runs/${piece(run)}/steps/${piece(row.step)}?seq=${row.seq}`}>
          {({ copied, copy }) => (
            <Button size="compact-sm" variant="subtle" onClick={copy}>
              {copied ? "Copied" : "Copy link"}
            </Button>
          )}
        </CopyButton>
      </Group>
      <Decision detail={detail} />
      {detail.before.length > 0 && (
        <Section title="What it read before">
          <Stack gap="xs">
            {detail.before.map((event) => (
              <EventMessage key={event.seq} event={event} />
            ))}
          </Stack>
        </Section>
      )}
      {detail.input !== null && (
        <Section title="Went in">
          <Json value={detail.input} label="input" />
        </Section>
      )}
      {detail.output !== null && <Section title="Came out">{row.kind === "model" ? <MessageBlocks message={detail.output} /> : <Value value={detail.output} label="output" />}</Section>}
      {detail.artifacts.length > 0 && (
        <Section title="Artifacts">
          <Stack gap="xs">
            {detail.artifacts.map((artifact) => (
              <ArtifactOf key={artifact.digest} run={run} artifact={artifact} />
            ))}
          </Stack>
        </Section>
      )}
      <details>
        <summary>
          <Text span size="sm" c="dimmed">
            {detail.events.length} events
          </Text>
        </summary>
        <Stack gap={4} mt={4}>
          {detail.events.map((event) => (
            <div key={event.seq}>
              <Text size="xs" c="dimmed">
                {event.seq} · {event.type} · <When ts={event.ts} />
              </Text>
              <Json value={event.data} open={0} label={`event ${event.seq}`} />
            </div>
          ))}
        </Stack>
      </details>
      {isForking && summary && <ForkDialog summary={summary} detail={detail} onClose={() => setForking(false)} />}
    </Stack>
  );
}

function forkable(summary: Summary | undefined, isOwn: boolean): string | undefined {
  if (!isOwn) return "Open the run of this step to fork it.";
  if (summary?.kind === "code") return "The code of this agent says itself what comes next: submit its task again.";
  if (summary?.execution) return "Step Functions moves this run: submit its task again.";
  return undefined;
}

function Facts({ detail }: { detail: Detail }) {
  const { row } = detail;
  return (
    <Stack gap={3}>
      <Fact name="Began">
        <When ts={row.started_ts} />
      </Fact>
      <Fact name="Took">
        <Duration ms={row.ended_ts === null ? null : row.ended_ts - row.started_ts} />
        {row.begun_ts !== null && row.begun_ts - row.started_ts >= 1000 && (
          <>
            , of which <Duration ms={row.begun_ts - row.started_ts} /> waiting to begin
          </>
        )}
      </Fact>
      {Number(row.cost_usd) > 0 && <Fact name="Cost">{`${moneyText(row.cost_usd)}, ${row.tokens.toLocaleString()} tokens`}</Fact>}
      {row.attempts > 1 && <Fact name="Attempts">{row.attempts}</Fact>}
      {detail.incidents.length > 0 && <Fact name="On the way">{detail.incidents.join("; ")}</Fact>}
      {detail.label && (
        <Fact name="Came from">
          <Group gap={6}>
            {detail.label.source}
            <Badge size="sm" variant="light" tt="none" color={detail.label.trust === "untrusted" ? "orange" : "gray"}>
              {detail.label.trust}
            </Badge>
            <Badge size="sm" variant="light" tt="none" color="gray">
              {detail.label.sensitivity}
            </Badge>
          </Group>
        </Fact>
      )}
    </Stack>
  );
}

function Decision({ detail }: { detail: Detail }) {
  const { decision, approval, row } = detail;
  if (!decision && !approval) return null;
  return (
    <Section title="Policy">
      <Stack gap={3}>
        {(row.verdict || decision) && (
          <Fact name="Decision">
            <StatusBadge status={row.verdict || decision!.verdict} />
          </Fact>
        )}
        {(row.reason || decision?.reason) && <Fact name="Reason"><Ticks text={row.reason || decision?.reason || ""} /></Fact>}
        {row.policies.length > 0 && <Fact name="Policies">{row.policies.join(", ")}</Fact>}
        {decision?.help && decision.verdict !== "allow" && <Fact name="What allows it"><span style={{ whiteSpace: "pre-wrap" }}>{decision.help}</span></Fact>}
        {approval && (
          <Fact name="Approval">
            <Group gap={6}>
              <StatusBadge status={approval.status} />
              <Anchor size="sm" href={`#/approvals/${piece(approval.approval_id)}`}>
                open
              </Anchor>
            </Group>
            {approval.votes.map((vote) => (
              <div key={vote.decision_id}>
                {vote.approver_id}: {vote.kind.replaceAll("_", " ")}
                {vote.rationale && ` – ${vote.rationale}`}
              </div>
            ))}
          </Fact>
        )}
      </Stack>
    </Section>
  );
}

function Section({ title, children }: { title: string; children: React.ReactNode }) {
  return (
    <section aria-label={title}>
      <Text size="xs" fw={600} c="dimmed" mb={4}>
        {title}
      </Text>
      {children}
    </section>
  );
}

/** Nothing is chosen. */
export function NothingChosen() {
  return <Empty title="No step is chosen">Choose one to see what went in and out, and what policy said.</Empty>;
}
