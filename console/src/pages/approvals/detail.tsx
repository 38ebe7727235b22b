import { Alert, Anchor, Group, Paper, Stack, Text, Title } from "@mantine/core";
import { piece, type Schemas, useGet } from "../../api";
import { Ago, Code, Deadline, Fact, JsonDiff, Loading, ProblemNote, RiskBadge, StatusBadge, Ticks, When } from "../../ui";
import { About } from "./about";
import { Actions } from "./actions";
import { isOpen } from "./call";
import { Earlier } from "./earlier";

type Context = Schemas["ApprovalContext"];

interface DetailProps {
  id: string;
  chosen: ReadonlySet<string>;
  onChoose: (ids: ReadonlySet<string>) => void;
  onDecided: () => void;
  onBatch: () => void;
}

/** One approval: the exact call, why it waits, and everything needed to decide it. */
export function Detail({ id, chosen, onChoose, onDecided, onBatch }: DetailProps) {
  const { data: context, error, isLoading, refetch } = useGet<Context>(`/api/v1/approvals/${piece(id)}/context`);
  if (isLoading) return <Loading />;
  if (!context) return <ProblemNote problem={error} retry={() => void refetch()} />;
  const { approval } = context;
  return (
    <Stack gap="md">
      <ProblemNote problem={error} retry={() => void refetch()} />
      <Group gap="xs">
        <Title order={2} size="h4" style={{ overflowWrap: "anywhere" }}>
          {approval.tool}
        </Title>
        <RiskBadge risk={approval.risk_level} />
        <StatusBadge status={approval.status} />
        {isOpen(approval) && (
          <Text size="sm" component="div">
            <Deadline ts={approval.expires_ts} />
          </Text>
        )}
      </Group>
      <Actions context={context} chosen={chosen} onChoose={onChoose} onDecided={onDecided} onBatch={onBatch} />
      {context.why_not && isOpen(approval) && (
        <Alert variant="light" color="yellow" title="You may not decide this">
          {context.why_not.message}
          {context.why_not.help && <Text size="sm">{firstLine(context.why_not.help)}</Text>}
        </Alert>
      )}
      <Exactly approval={approval} />
      <Conversation approval={approval} />
      <Paper withBorder p="sm">
        <Stack gap={6}>
          <Fact name="Why it waits">{approval.reason === "in_doubt" ? `A crash hid whether this happened. Approve: it did not, do it. Reject: it did, go on. ${approval.explanation}` : <Ticks text={approval.explanation || "policy wants a person"} />}</Fact>
          <Fact name="May decide">{whoMay(approval)}</Fact>
          <Fact name="Asked">
            <Ago ts={approval.requested_ts} /> by agent {approval.agent} for {[approval.requested_by, approval.caused_by].filter(Boolean).join(", set off by ")}
          </Fact>
          <Fact name="Deadline">
            <When ts={approval.expires_ts} />
          </Fact>
          <Fact name="Policy">
            {approval.profile}, version <Text span ff="monospace">{approval.policy_version.replace("sha256:", "").slice(0, 12)}</Text>
          </Fact>
          <Fact name="Run">
            <Anchor href={`#/runs/${piece(approval.run_id)}/steps/${piece(approval.step)}`} size="sm">
              {approval.run_id}
            </Anchor>
          </Fact>
        </Stack>
      </Paper>
      <About tool={context.tool} run={context.run} />
      <Earlier earlier={context.earlier} />
    </Stack>
  );
}

/** The arguments, all of them; once somebody edited them, what differs. */
function Exactly({ approval }: { approval: Schemas["Approval"] }) {
  const isEdited = approval.agreed_arguments !== null && approval.agreed_arguments !== undefined;
  return (
    <Stack gap={4}>
      <Title order={3} size="h6">
        {isEdited ? "Arguments, as they were edited" : "Exact arguments"}
      </Title>
      {isEdited ? <JsonDiff before={approval.arguments} after={approval.agreed_arguments} whole /> : <Code text={JSON.stringify(approval.arguments, null, 2)} label="arguments" maxHeight={420} />}
    </Stack>
  );
}

/** What was asked, answered and decided so far. */
function Conversation({ approval }: { approval: Schemas["Approval"] }) {
  const votes = approval.votes ?? [];
  if (votes.length === 0) return null;
  return (
    <Stack gap={6} role="list" aria-label="decisions so far">
      {votes.map((vote) => (
        <Paper withBorder p="xs" key={vote.decision_id} role="listitem">
          <Group gap="xs">
            <StatusBadge status={SAID[vote.kind] ?? vote.kind} />
            <Text size="sm">
              {vote.approver_id}, <Ago ts={vote.decided_ts} />
            </Text>
          </Group>
          {vote.rationale && (
            <Text size="sm" mt={4} style={{ overflowWrap: "anywhere", whiteSpace: "pre-wrap" }}>
              {vote.rationale}
            </Text>
          )}
        </Paper>
      ))}
      {approval.answer && (
        <Paper withBorder p="xs" role="listitem">
          <Text size="sm" c="dimmed">
            The requester answered
          </Text>
          <Text size="sm" style={{ overflowWrap: "anywhere", whiteSpace: "pre-wrap" }}>
            {approval.answer}
          </Text>
        </Paper>
      )}
    </Stack>
  );
}

const SAID: Record<string, string> = { approve: "approved", reject: "rejected", constrain: "constrained", request_info: "info_requested" };

function whoMay({ quorum = 1, approver_roles = [], votes = [] }: Schemas["Approval"]): string {
  const roles = approver_roles.length > 0 ? approver_roles.join(" or ") : "whoever policy allows";
  if (quorum <= 1) return `one person with role ${roles}, never the requester`;
  const agreed = new Set(votes.filter((vote) => vote.kind === "approve" || vote.kind === "constrain").map((vote) => vote.approver_id)).size;
  return `${quorum} people with role ${roles}, never the requester; ${agreed} agreed so far`;
}

function firstLine(text: string): string {
  return text.split("\n")[0] ?? "";
}
