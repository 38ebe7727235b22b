import { Accordion, Alert, Anchor, Badge, Button, Group, Stack, TextInput, Tooltip } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { api, piece, type Problem, type Schemas, useAct, useCan, useGet, whyNot } from "../../api";
import { Code, Editor, Fact, Loading, ProblemNote, SchemaForm, stable, TextDiff } from "../../ui";

export interface Draft {
  cedar: string;
  profile: Record<string, unknown>;
}

type Checked = Schemas["PolicyChecked"];

interface TextProps {
  name: string;
  standing: Schemas["PolicyProfile"] | undefined;
  draft: Draft | undefined;
  onDraft: (draft: Draft) => void;
}

const TYPED_MS = 200;
const KIND = "policy_profile";

/** The text of a profile, checked as one types; saved as a draft of the next version. */
export function Text({ name, standing, draft, onDraft }: TextProps) {
  const { data, error, isLoading, refetch } = useGet<Schemas["PolicyText"]>(`/api/v1/policies/${piece(name)}`);
  if (isLoading) return <Loading />;
  if (!data) return <ProblemNote problem={error ?? standing?.problem} retry={() => void refetch()} />;
  return <Edit name={name} found={data} draft={draft} onDraft={onDraft} />;
}

function Edit({ name, found, draft, onDraft }: { name: string; found: Schemas["PolicyText"]; draft: Draft | undefined; onDraft: (draft: Draft) => void }) {
  const { profile } = found;
  const start = asDraft(found.draft);
  const { cedar, profile: fields } = draft ?? start;
  const can = useCan("edit");
  const [reason, setReason] = useState("");
  const [settled] = useDebouncedValue(draft ?? start, TYPED_MS);
  const checked = useQuery<Checked, Problem>({
    queryKey: ["/api/v1/policies/validate", settled],
    queryFn: () => api.post<Checked>("/api/v1/policies/validate", settled),
    placeholderData: (before) => before,
    staleTime: Infinity,
    gcTime: 60_000,
  });
  const problems = checked.data?.problems ?? [];
  const others = checked.data?.others ?? [];
  const marks = problems.map((one) => ({ line: one.line, message: `column ${one.column}: ${one.text}` }));
  const isSame = cedar === start.cedar && stable(fields) === stable(start.profile);
  const save = useAct(() => api.post<Schemas["Definition"]>(`/api/v1/definitions/${KIND}/${piece(name)}/drafts`, { spec: { cedar, profile: fields }, reason: reason.trim() }), {
    done: (made) => `Draft ${made.version} is written. Promote it in the registry to put it in force.`,
    touches: ["/api/v1/policies", "/api/v1/definitions"],
    quiet: true,
  });
  useEffect(() => {
    const warn = (event: BeforeUnloadEvent) => event.preventDefault();
    if (!isSame) addEventListener("beforeunload", warn);
    return () => removeEventListener("beforeunload", warn);
  }, [isSame]);

  const isWrong = problems.length > 0 || others.length > 0;
  const lacking = !can ? whyNot(can, "edit") : isSame ? "Nothing is changed yet." : isWrong ? "Mend what is marked first." : checked.isFetching ? "It is being checked." : !reason.trim() ? "Say why: the reason is kept with the change." : undefined;
  const submit = async () => {
    const made = await save.run();
    if (made) setReason("");
  };
  return (
    <Stack gap="md">
      <Group gap="xl" align="flex-start">
        <Stack gap={4} maw={460}>
          <Fact name="In force">
            {profile.source === "registry" ? (
              <Anchor size="sm" href={`#/registry/${KIND}/${piece(name)}`}>
                version {profile.version} of the registry
              </Anchor>
            ) : (
              "from a folder of the deployment"
            )}
          </Fact>
          <Fact name="Policies">{profile.policies}</Fact>
          <Fact name="Digest">{(profile.digest ?? "").replace("sha256:", "").slice(0, 16)}</Fact>
        </Stack>
        <Stack gap={4} maw={520}>
          <Fact name="Approvers">
            {profile.quorum} of {(profile.approver_roles ?? []).join(", ") || "nobody"}
          </Fact>
          <Fact name="Time to decide">{hours(profile.approval_expires_s ?? 0)}</Fact>
          <Fact name="Redacted">{(profile.redact ?? []).join(", ") || "nothing"}</Fact>
        </Stack>
      </Group>
      <Group gap="xs" justify="space-between">
        <Badge variant="light" color={isWrong ? "red" : checked.isFetching ? "gray" : "green"} tt="none" radius="sm" aria-live="polite">
          {checked.isFetching ? "checking" : isWrong ? `${problems.length + others.length} wrong` : "valid"}
        </Badge>
        {!isSame && (
          <Button size="compact-xs" variant="default" onClick={() => onDraft(start)}>
            Start again from what is in force
          </Button>
        )}
      </Group>
      <ProblemNote problem={checked.error} />
      <Editor label="Policies in Cedar" text={cedar} onChange={(text) => onDraft({ cedar: text, profile: fields })} marks={marks} />
      {others.length > 0 && (
        <Alert color="red" variant="light" title="The settings do not fit">
          {others.map((text) => (
            <div key={text}>{text}</div>
          ))}
        </Alert>
      )}
      <ProblemNote problem={save.problem} />
      <Group align="flex-end" gap="sm">
        <TextInput label="Reason" description="Kept with the change." w={420} maxLength={2000} value={reason} onChange={(event) => setReason(event.currentTarget.value)} />
        <Tooltip label={lacking} disabled={!lacking}>
          <Button data-disabled={lacking ? true : undefined} aria-disabled={lacking ? true : undefined} loading={save.busy} onClick={(event) => (lacking ? event.preventDefault() : void submit())}>
            Save as a draft
          </Button>
        </Tooltip>
      </Group>
      <Accordion variant="separated" keepMounted={false}>
        <Accordion.Item value="fields">
          <Accordion.Control>Settings of the profile</Accordion.Control>
          <Accordion.Panel>
            <SchemaForm schema={FIELDS} value={fields} onChange={(next) => onDraft({ cedar, profile: (next ?? {}) as Record<string, unknown> })} />
          </Accordion.Panel>
        </Accordion.Item>
        <Accordion.Item value="changes">
          <Accordion.Control disabled={isSame}>What is changed</Accordion.Control>
          <Accordion.Panel>
            <TextDiff before={`${start.cedar}\n\n${stable(start.profile)}`} after={`${cedar}\n\n${stable(fields)}`} />
          </Accordion.Panel>
        </Accordion.Item>
        <Accordion.Item value="whole">
          <Accordion.Control>All that holds, with what it extends</Accordion.Control>
          <Accordion.Panel>
            <Code text={found.cedar} label="policies in force" />
          </Accordion.Panel>
        </Accordion.Item>
        <Accordion.Item value="schema">
          <Accordion.Control>What policies can speak about</Accordion.Control>
          <Accordion.Panel>
            <Code text={found.schema} label="schema" />
          </Accordion.Panel>
        </Accordion.Item>
      </Accordion>
    </Stack>
  );
}

function asDraft(body: Record<string, unknown>): Draft {
  return { cedar: String(body.cedar ?? ""), profile: (body.profile ?? {}) as Record<string, unknown> };
}

function hours(seconds: number): string {
  return seconds % 3600 === 0 ? `${seconds / 3600} h` : `${Math.round(seconds / 60)} min`;
}

const LIMIT = { type: "integer", minimum: 0 };
const FIELDS = {
  type: "object",
  properties: {
    extends: { type: "string", description: "A profile of a folder whose policies hold as well." },
    approver_roles: { type: "array", items: { type: "string" }, description: "Who may approve." },
    quorum: { type: "integer", minimum: 1, description: "How many people must agree." },
    approval_expires_s: { type: "number", description: "Seconds until nobody's decision means no." },
    redact: { type: "array", items: { type: "string", enum: ["secrets", "pii"] } },
    budget: {
      type: "object",
      description: "What one run may use at most.",
      properties: {
        max_cost_usd: { type: "string", description: "US dollars." },
        max_tokens: LIMIT,
        max_model_calls: LIMIT,
        max_tool_calls: LIMIT,
        max_iterations: LIMIT,
        max_wall_s: { type: "number" },
        max_depth: LIMIT,
        max_children: LIMIT,
      },
    },
  },
};
