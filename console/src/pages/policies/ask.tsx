import { Autocomplete, Button, Checkbox, Fieldset, Group, NumberInput, Paper, Select, SimpleGrid, Stack, TagsInput, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { api, type Schemas, useAct, useMe, usePages } from "../../api";
import { Code, Fact, Json, ProblemNote, StatusBadge } from "../../ui";
import type { Draft } from "./text";

type Body = Schemas["AskPolicy"];
type Answer = Schemas["PolicyAnswer"];

const ACTIONS: readonly { value: Body["action"]; label: string; resource: string }[] = [
  { value: "call_tool", label: "call a tool", resource: "Tool" },
  { value: "approve", label: "approve a call of a tool", resource: "Tool" },
  { value: "use_model", label: "use a model", resource: "Model route" },
  { value: "hand_off", label: "hand off to an agent", resource: "Agent" },
  { value: "publish", label: "publish an event", resource: "Event type" },
  { value: "write_memory", label: "write memory", resource: "Scope" },
  { value: "start_run", label: "start a run", resource: "Agent" },
  { value: "edit_definition", label: "edit a definition", resource: "kind/name" },
];
const PEOPLE = new Set(["approve", "edit_definition"]);
const RISKS = ["L0", "L1", "L2", "L3"];

/** Put a question to policy: nothing happens, and nothing is logged. */
export function Ask({ profile, draft }: { profile: string; draft: Draft | undefined }) {
  const me = useMe();
  const tools = usePages<Schemas["ToolPolicy"]>("/api/v1/policies/tools", { profile, limit: 200 });
  const [action, setAction] = useState<Body["action"]>("call_tool");
  const [resource, setResource] = useState("");
  const [actor, setActor] = useState(me.actor_id);
  const [roles, setRoles] = useState<string[]>([]);
  const [agent, setAgent] = useState("");
  const [risk, setRisk] = useState<string | null>(null);
  const [isUntrusted, setUntrusted] = useState(false);
  const [sensitivity, setSensitivity] = useState("public");
  const [isOver, setOver] = useState(false);
  const [isApproved, setApproved] = useState(false);
  const [isOwn, setOwn] = useState(false);
  const [amount, setAmount] = useState<number | string>("");
  const [ofDraft, setOfDraft] = useState(false);
  const act = useAct((body: Partial<Body>) => api.post<Answer>("/api/v1/policies/test", body), { quiet: true });
  const [answer, setAnswer] = useState<Answer | null>(null);

  const kind = ACTIONS.find((one) => one.value === action)!;
  const isTool = kind.resource === "Tool";
  const submit = async () => {
    const context: Record<string, unknown> = { ...(isOver && { over_limit: true }), ...(isApproved && { approved: true }), ...(action === "approve" && { requester_is_approver: isOwn }), ...(typeof amount === "number" && { amount }) };
    const body: Partial<Body> = {
      principal: { actor_id: actor, roles, agent: PEOPLE.has(action) ? "" : agent },
      action,
      resource,
      resource_attrs: (risk ? { risk } : {}) as Body["resource_attrs"],
      labels: { untrusted: isUntrusted, sensitivity: sensitivity as "public" },
      context: context as Body["context"],
      profile,
      ...(ofDraft && draft && { cedar: draft.cedar, fields: draft.profile as Body["fields"] }),
    };
    const said = await act.run(body);
    setAnswer(said ?? null);
  };
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }} spacing="lg">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <Stack gap="sm">
          <Select label="May somebody" allowDeselect={false} data={ACTIONS.map(({ value, label }) => ({ value, label }))} value={action} onChange={(to) => to && setAction(to as Body["action"])} />
          <Autocomplete label={kind.resource} required maxLength={200} limit={50} data={isTool ? tools.items.map((tool) => tool.tool) : []} value={resource} onChange={setResource} />
          <Group grow align="flex-start">
            <TextInput label="Person" required maxLength={200} value={actor} onChange={(event) => setActor(event.currentTarget.value)} />
            {!PEOPLE.has(action) && <TextInput label="Agent that acts for them" placeholder="none" maxLength={200} value={agent} onChange={(event) => setAgent(event.currentTarget.value)} />}
          </Group>
          <TagsInput label="Roles of the person" value={roles} onChange={setRoles} />
          <Fieldset legend="What is so">
            <Stack gap="xs">
              <Checkbox label="The run has read untrusted content" checked={isUntrusted} onChange={(event) => setUntrusted(event.currentTarget.checked)} />
              <Checkbox label="The call is over a limit of the tool" checked={isOver} onChange={(event) => setOver(event.currentTarget.checked)} />
              {action === "approve" ? <Checkbox label="They asked for it themselves" checked={isOwn} onChange={(event) => setOwn(event.currentTarget.checked)} /> : <Checkbox label="A person has approved it" checked={isApproved} onChange={(event) => setApproved(event.currentTarget.checked)} />}
              <Group grow align="flex-start">
                <Select label="Most sensitive content read" allowDeselect={false} data={["public", "internal", "private", "secret"]} value={sensitivity} onChange={(to) => setSensitivity(to ?? "public")} />
                {isTool && <Select label="Risk" placeholder="the tool's own" clearable data={RISKS} value={risk} onChange={setRisk} />}
                <NumberInput label="Amount" description="Minor units, e.g. cents." allowDecimal={false} value={amount} onChange={setAmount} />
              </Group>
            </Stack>
          </Fieldset>
          <Checkbox label="Ask the text that is being edited, not what is in force" disabled={!draft} checked={ofDraft && draft !== undefined} onChange={(event) => setOfDraft(event.currentTarget.checked)} />
          <Group>
            <Button type="submit" loading={act.busy} disabled={!resource || !actor}>
              Ask
            </Button>
          </Group>
        </Stack>
      </form>
      <section aria-label="Answer" aria-live="polite">
        <ProblemNote problem={act.problem} />
        {answer ? <Shown answer={answer} /> : <Text c="dimmed">The decision, the policies that make it, and what would allow it appear here.</Text>}
      </section>
    </SimpleGrid>
  );
}

function Shown({ answer: { decision, asked } }: { answer: Answer }) {
  return (
    <Paper withBorder p="md">
      <Stack gap="xs">
        <Group gap="xs">
          <StatusBadge status={decision.verdict} />
          <Text size="sm" ff="monospace" style={{ overflowWrap: "anywhere" }}>
            {(decision.policies ?? []).join(", ") || "no policy permits it"}
          </Text>
        </Group>
        <Text size="sm" style={{ overflowWrap: "anywhere" }}>
          {decision.reason}
        </Text>
        {decision.verdict === "needs_approval" && (
          <Fact name="Approved by">
            {decision.quorum} with role {(decision.approver_roles ?? []).join(" or ")}
          </Fact>
        )}
        {decision.help && (
          <>
            <Text size="sm" c="dimmed">
              What would change it
            </Text>
            <Code text={decision.help} label="what would change it" />
          </>
        )}
        <Text size="sm" c="dimmed">
          The question, as policy got it
        </Text>
        <Json value={asked} />
      </Stack>
    </Paper>
  );
}
