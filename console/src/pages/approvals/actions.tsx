import { Button, Group, Text, Tooltip } from "@mantine/core";
import { useState } from "react";
import { type Schemas, useCan, whyNot } from "../../api";
import { Code, useConfirm, useKeys } from "../../ui";
import { isOpen } from "./call";
import { Constrain } from "./constrain";
import { useAnswer, useDecide, useDecideTogether } from "./deciding";
import { Say } from "./say";

interface ActionsProps {
  context: Schemas["ApprovalContext"];
  chosen: ReadonlySet<string>;
  onChoose: (ids: ReadonlySet<string>) => void;
  onDecided: () => void;
  onBatch: () => void;
}

type Open = "" | "constrain" | "ask" | "answer";

/** What can be done about an approval, by button and by key. */
export function Actions({ context, chosen, onChoose, onDecided, onBatch }: ActionsProps) {
  const { approval } = context;
  const confirm = useConfirm();
  const [open, setOpen] = useState<Open>("");
  const mayDecide = useCan("decide");
  const mayAnswer = useCan("run");
  const one = useDecide(approval, onDecided);
  const isTogether = chosen.size > 1 && chosen.has(approval.approval_id);
  const together = useDecideTogether([...chosen], onBatch);
  const answer = useAnswer(approval);
  const act = isTogether ? together : one;

  const can = (kind: string) => mayDecide && context.may_decide && context.decisions.some((known) => known === kind);
  const why = whyNot(mayDecide, "decide approvals") ?? context.why_not?.message;
  const many = isTogether ? ` ${chosen.size} calls` : "";

  const approve = async () => {
    const { ok } = await confirm({ title: `Approve${many || " this call"}?`, body: <Code text={`${approval.tool}\n${JSON.stringify(approval.arguments, null, 2)}`} label="the call" maxHeight={280} />, action: `Approve${many}` });
    if (ok) void act.run({ kind: "approve", rationale: "" });
  };
  const reject = async () => {
    const { ok, reason } = await confirm({ title: `Reject${many || " this call"}?`, body: <Text size="sm">The agent is told why, and goes on without it.</Text>, reason: true, danger: true, action: `Reject${many}` });
    if (ok) void act.run({ kind: "reject", rationale: reason });
  };
  const alike = approval.status === "pending" && context.identical.length > 0 ? [approval.approval_id, ...context.identical].slice(0, AT_ONCE) : [];
  const isAll = alike.every((id) => chosen.has(id));
  const chooseAlike = () => onChoose(new Set(isAll ? [] : alike));
  const isAsked = approval.status === "info_requested";
  useKeys([
    { key: "a", label: "Approve", run: () => void approve(), when: can("approve") && !act.busy },
    { key: "r", label: "Reject, with a reason", run: () => void reject(), when: can("reject") && !act.busy },
    { key: "c", label: "Approve with changed arguments", run: () => setOpen("constrain"), when: can("constrain") && !isTogether },
    { key: "i", label: "Ask for information", run: () => setOpen("ask"), when: can("request_info") && !isTogether },
    { key: "x", label: "Choose all of the same call, or none", run: chooseAlike, when: alike.length > 0 },
  ]);

  if (!isOpen(approval)) return null;
  const off = (kind: string) => !can(kind) || act.busy;
  return (
    <div className="approvals-actions">
      <Group gap="xs" role="group" aria-label="Decide">
        <Act label={`Approve${many}`} hint="a" why={why} disabled={off("approve")} onClick={() => void approve()} />
        <Act label={`Reject${many}`} hint="r" why={why} disabled={off("reject")} color="red" variant="light" onClick={() => void reject()} />
        {!isTogether && (
          <>
            <Act label="Change and approve" hint="c" why={why} disabled={off("constrain")} variant="default" onClick={() => setOpen("constrain")} />
            <Act label="Ask" hint="i" why={why} disabled={off("request_info")} variant="default" onClick={() => setOpen("ask")} />
          </>
        )}
        {isAsked && <Act label="Answer the question" why={whyNot(mayAnswer, "answer for the requester")} disabled={!mayAnswer || answer.busy} variant="default" onClick={() => setOpen("answer")} />}
      </Group>
      {alike.length > 0 && (
        <Group gap="xs" mt={6}>
          <Text size="xs" c="dimmed">
            {others(context)} for exactly the same call.
          </Text>
          <Button size="compact-xs" variant="subtle" onClick={chooseAlike} rightSection={<kbd className="approvals-key" aria-hidden>x</kbd>}>
            {isAll ? "Choose none" : `Choose all ${alike.length} identical`}
          </Button>
        </Group>
      )}
      {open === "constrain" && <Constrain context={context} onClose={() => setOpen("")} onDecided={onDecided} />}
      <Say opened={open === "ask"} title="Ask the requester" label="Your question" action="Ask" onClose={() => setOpen("")} onSay={(text) => void one.run({ kind: "request_info", rationale: text })} />
      <Say opened={open === "answer"} title="Answer for the requester" label="Your answer" about={approval.question} action="Answer" onClose={() => setOpen("")} onSay={(text) => void answer.run(text)} />
    </div>
  );
}

/** How many approvals one request decides. */
const AT_ONCE = 200;

function others({ identical, identical_complete }: Schemas["ApprovalContext"]): string {
  if (identical.length === 1 && identical_complete) return "1 other approval waits";
  return `${identical.length}${identical_complete ? "" : " or more"} other approvals wait`;
}

interface ActProps {
  label: string;
  hint?: string;
  why: string | undefined;
  disabled: boolean;
  color?: string;
  variant?: string;
  onClick: () => void;
}

function Act({ label, hint, why, disabled, color, variant, onClick }: ActProps) {
  return (
    <Tooltip label={why} disabled={!disabled || !why} multiline maw={420}>
      <Button size="xs" color={color} variant={variant} data-disabled={disabled || undefined} aria-disabled={disabled || undefined} onClick={(event) => (disabled ? event.preventDefault() : onClick())} rightSection={hint ? <kbd className="approvals-key" aria-hidden>{hint}</kbd> : undefined}>
        {label}
      </Button>
    </Tooltip>
  );
}
