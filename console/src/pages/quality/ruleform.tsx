import { Select, Stack, TextInput } from "@mantine/core";
import { useState } from "react";
import { api, type Schemas, useAct, useCan, useGet, usePages, whyNot } from "../../api";
import { Loading, ProblemNote, SaveButtons, SchemaForm } from "../../ui";
import { rulePath, TOUCHED } from "./paths";

type Rule = Schemas["TableValidation"];
type Kind = Schemas["ValidationType"];
type Schema = Record<string, unknown>;

/** Write the next version of a rule, in a form made from its type. What the server says against it is shown in place. */
export function RuleForm({ rule, active, onSaved }: { rule: Rule; active: number; onSaved: (made: Rule) => void }) {
  const can = useCan("edit");
  const types = usePages<Kind>("/api/v1/validation-types", { limit: 200 });
  const known = useGet<Kind>(`/api/v1/validation-types/${encodeURIComponent(rule.validation_type)}`);
  const [based] = useState(active);
  const [type, setType] = useState(rule.validation_type);
  const [parameters, setParameters] = useState<unknown>(rule.parameters);
  const [schedule, setSchedule] = useState(rule.schedule);
  const [comment, setComment] = useState("");
  const [reason, setReason] = useState("");
  const path = rulePath(rule.config_id);
  const save = useAct(
    (draft: boolean) => {
      const body = { table_id: rule.table_id, validation_type: type, parameters, schedule: schedule.trim(), comment, reason };
      return draft ? api.post<Rule>(`${path}/drafts`, body) : api.put<Rule>(path, { ...body, expect_version: based });
    },
    { done: (made) => (made.status === "draft" ? `Draft ${made.version} is written.` : `Version ${made.version} is active.`), touches: TOUCHED, quiet: true },
  );
  const submit = async (draft: boolean) => {
    const made = await save.run(draft);
    if (made) onSaved(made);
  };
  const chosen = types.items.find((one) => one.validation_type === type) ?? (type === rule.validation_type ? known.data : undefined);
  if (known.error) return <ProblemNote problem={known.error} retry={() => void known.refetch()} />;
  if (!chosen) return <Loading />;
  const lacking = !can ? whyNot(can, "edit") : !reason.trim() ? "Say why: the reason is kept with the change." : undefined;
  const names = types.items.map((one) => one.validation_type);
  return (
    <form
      aria-label={`edit ${rule.config_id}`}
      onSubmit={(event) => {
        event.preventDefault();
        if (!lacking) void submit(false);
      }}
    >
      <Stack maw={720}>
        <Select label="Checks" description={chosen.description} data={names.includes(type) ? names : [type, ...names]} value={type} allowDeselect={false} searchable onChange={(value) => setType(value ?? type)} />
        <SchemaForm key={type} schema={chosen.parameters as Schema} value={parameters} onChange={setParameters} />
        <TextInput label="When" description="Empty: with its table. Else daily at 06:30, hourly, every 15 minutes, or a cron expression." value={schedule} onChange={(event) => setSchedule(event.currentTarget.value)} />
        <TextInput label="Comment" value={comment} onChange={(event) => setComment(event.currentTarget.value)} placeholder="what to know about this version" />
        <TextInput label="Reason" required value={reason} onChange={(event) => setReason(event.currentTarget.value)} placeholder="kept with the change" />
        <ProblemNote problem={save.problem} />
        <SaveButtons lacking={lacking} isBusy={save.busy} onDraft={() => void submit(true)} />
      </Stack>
    </form>
  );
}
