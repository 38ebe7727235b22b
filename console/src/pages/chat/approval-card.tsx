import { Anchor, Button, Group, Paper, Stack, Text, Textarea, Tooltip } from "@mantine/core";
import { useState } from "react";
import { api, piece, type Schemas, useAct, useCan, useGet } from "../../api";
import { freshId } from "../../ui/fresh";
import { Deadline, Json, ProblemNote, RiskBadge, StatusBadge, useConfirm } from "../../ui";

type Context = Schemas["ApprovalContext"];

const LOOK_MS = 3_000;

/** What waits for a person, where it came up: the exact call, and the decision for whoever may make it. */
export function ApprovalCard({ id, isOver }: { id: string; isOver: boolean }) {
  const path = `/api/v1/approvals/${piece(id)}`;
  const { data, error, refetch } = useGet<Context>(`${path}/context`, {}, { refetchInterval: (query) => (isOver || (query.state.data && !isOpen(query.state.data)) ? false : LOOK_MS) });
  const confirm = useConfirm();
  const decide = useAct(
    (given: { kind: string; rationale?: string }) => api.post(`${path}/decide`, { ...given, decision_id: freshId("d") }),
    { touches: ["/api/v1/approvals"], done: (_out, { kind }) => (kind === "approve" ? "Approved" : "Rejected") },
  );
  if (error) return <ProblemNote problem={error} retry={() => void refetch()} />;
  if (!data) return null;
  const { approval } = data;
  const waits = isOpen(data) && !isOver;
  const reject = async () => {
    const { ok, reason } = await confirm({ title: `Reject ${approval.tool}?`, action: "Reject", reason: true, danger: true });
    if (ok) void decide.run({ kind: "reject", rationale: reason });
  };
  const why = data.may_decide ? undefined : (data.why_not?.message ?? "You may not decide this.");
  return (
    <Paper withBorder p="sm" className="remit-chat-approval" data-waits={waits || undefined} role="group" aria-label={`Approval of ${approval.tool}`}>
      <Stack gap="xs">
        <Text size="sm" fw={600}>
          {waits ? "A person must decide before it goes on" : "This was for a person to decide"}
        </Text>
        <Group gap="xs">
          <Text size="sm" fw={600} style={{ overflowWrap: "anywhere" }}>
            {approval.tool}
          </Text>
          <RiskBadge risk={approval.risk_level} />
          <StatusBadge status={approval.status ?? "pending"} />
          {waits && (
            <Text size="xs" c="dimmed" component="span">
              <Deadline ts={approval.expires_ts} />
            </Text>
          )}
        </Group>
        <Json value={approval.arguments} open={3} label={`arguments of ${approval.tool}`} />
        {approval.explanation && (
          <Text size="xs" c="dimmed" style={{ overflowWrap: "anywhere" }}>
            {approval.explanation}
          </Text>
        )}
        {approval.status === "info_requested" && waits && <Question approval={approval} />}
        {waits && (
          <Group gap="xs">
            <Tooltip label={why} disabled={data.may_decide}>
              <Button size="xs" loading={decide.busy} data-disabled={!data.may_decide || undefined} aria-disabled={!data.may_decide} onClick={() => data.may_decide && void decide.run({ kind: "approve" })}>
                Approve
              </Button>
            </Tooltip>
            <Tooltip label={why} disabled={data.may_decide}>
              <Button size="xs" color="red" variant="light" data-disabled={!data.may_decide || undefined} aria-disabled={!data.may_decide} onClick={() => data.may_decide && void reject()}>
                Reject …
              </Button>
            </Tooltip>
            <Anchor size="sm" href={`#/approvals/${piece(id)}`}>
              More ways to decide
            </Anchor>
          </Group>
        )}
        {waits && why && (
          <Text size="xs" c="dimmed" style={{ overflowWrap: "anywhere" }}>
            {[why, data.why_not?.help].filter(Boolean).join("; ")}
          </Text>
        )}
      </Stack>
    </Paper>
  );
}

/** What whoever decides wants to know, and the answer to it. */
function Question({ approval }: { approval: Schemas["Approval"] }) {
  const [text, setText] = useState("");
  const canRun = useCan("run");
  const answer = useAct(() => api.post(`/api/v1/approvals/${piece(approval.approval_id)}/answer`, { text: text.trim() }), { touches: ["/api/v1/approvals"], done: "Answered" });
  return (
    <Stack gap={6}>
      <Textarea label={approval.question || "They want to know more"} autosize minRows={2} value={text} onChange={(event) => setText(event.currentTarget.value)} />
      <Button size="xs" style={{ alignSelf: "flex-start" }} loading={answer.busy} disabled={!canRun || text.trim() === ""} onClick={() => void answer.run()}>
        Answer
      </Button>
    </Stack>
  );
}

function isOpen({ approval }: Context): boolean {
  return approval.status === "pending" || approval.status === "info_requested";
}
