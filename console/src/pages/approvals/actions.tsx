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
  onDecided: () => void;
  onBatch: () => void;
}

type Open = "" | "constrain" | "ask" | "answer";

/** What can be done about an approval, by button and by key. */
export function Actions({ context, chosen, onDecided, onBatch }: ActionsProps) {
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
  const isAsked = approval.status === "info_requested";
  useKeys([
    { key: "a", label: "Approve", run: () => void approve(), when: can("approve") && !act.busy },
    { key: "r", label: "Reject, with a reason", run: () => void reject(), when: can("reject") && !act.busy },
    { key: "c", label: "Approve with changed arguments", run: () => setOpen("constrain"), when: can("constrain") && !isTogether },
    { key: "i", label: "Ask for information", run: () => setOpen("ask"), when: can("request_info") && !isTogether },
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
      {context.identical.length > 0 && !isTogether && (
        <Text size="xs" c="dimmed" mt={6}>
          {context.identical.length}
          {context.identical_complete ? "" : " or more"} other approvals wait for exactly the same call: tick them in the list to decide them together.
        </Text>
      )}
      {open === "constrain" && <Constrain context={context} onClose={() => setOpen("")} onDecided={onDecided} />}
      <Say opened={open === "ask"} title="Ask the requester" label="Your question" action="Ask" onClose={() => setOpen("")} onSay={(text) => void one.run({ kind: "request_info", rationale: text })} />
      <Say opened={open === "answer"} title="Answer for the requester" label="Your answer" about={approval.question} action="Answer" onClose={() => setOpen("")} onSay={(text) => void answer.run(text)} />
    </div>
  );
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
