import { Alert, Group, Stack, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { api, type Problem, type Schemas, useAct, useCan, whyNot } from "../../api";
import { Editor, type Mark, ProblemNote, SaveButtons, stable } from "../../ui";
import { pathOf, touchedBy } from "./paths";
import { lineOf, linesOf } from "./pointer";
import { type Body, joined, split, TEMPLATES } from "./split";

type Definition = Schemas["Definition"];

interface EditProps {
  kind: string;
  name: string;
  /** What the edit starts from; null for a definition that is new. */
  from: Definition | null;
  /** The version that is active now; 0 for none. */
  active: number;
  onSaved: (made: Definition) => void;
}

/** Write the next version: what is wrong is said in place while one types, and nobody's change is overwritten. */
export function Edit({ kind, name, from, active, onSaved }: EditProps) {
  const can = useCan("edit");
  const path = pathOf(kind, name);
  const [start] = useState(() => split(from?.body ?? TEMPLATES[kind] ?? {}));
  const [texts, setTexts] = useState(start.texts);
  const [text, setText] = useState(() => JSON.stringify(start.rest, null, 2));
  const [reason, setReason] = useState("");
  const [comment, setComment] = useState("");
  const [based] = useState(active);
  const parsed = useMemo(() => parse(text), [text]);
  const body = useMemo(() => (parsed.mark ? null : joined(parsed.value as Body, texts)), [parsed, texts]);
  const [settled] = useDebouncedValue(body, 350);
  const checked = useQuery<Schemas["Mistakes"], Problem>({
    queryKey: [`${path}/check`, settled],
    queryFn: () => api.post<Schemas["Mistakes"]>(`${path}/check`, { spec: settled }),
    enabled: can && settled !== null,
    placeholderData: (before) => before,
    staleTime: 30_000,
  });
  const said = useMemo((): (Mark & { field: string })[] => {
    if (parsed.mark) return [{ ...parsed.mark, field: "" }];
    const places = linesOf(text);
    return (checked.data?.items ?? []).map((one) => {
      const field = Object.keys(texts).find((name) => one.path === `/${name}`) ?? "";
      return { field, line: field ? 0 : lineOf(places, one.path), message: [one.message, one.help].filter(Boolean).join(" – ") };
    });
  }, [parsed, checked.data, text, texts]);

  const touches = touchedBy(kind, name);
  const save = useAct((draft: boolean) => (draft ? api.post<Definition>(`${path}/drafts`, { spec: body, reason, comment }) : api.put<Definition>(path, { spec: body, reason, comment, expect_version: based })), {
    done: (made) => (made.status === "draft" ? `Draft ${made.version} is written.` : `Version ${made.version} is active.`),
    touches,
    quiet: true,
  });
  const submit = async (draft: boolean) => {
    const made = await save.run(draft);
    if (made) onSaved(made);
  };
  const isSame = from !== null && body !== null && stable(body) === stable(from.body);
  const lacking = !can ? whyNot(can, "edit") : parsed.mark ? "The text is no JSON object yet." : said.length > 0 ? "Mend what is marked first." : isSame ? "Nothing is changed yet." : !reason.trim() ? "Say why: the reason is kept with the change." : undefined;
  return (
    <Stack
      maw={980}
      component="form"
      aria-label={`edit ${name}`}
      onSubmit={(event) => {
        event.preventDefault();
        if (!lacking) void submit(false);
      }}
    >
      {based !== active && (
        <Alert color="orange" title={`Version ${active} has become active meanwhile`}>
          You edit version {based}. Saving will be refused; keep it as a draft, or look at the versions first.
        </Alert>
      )}
      {Object.entries(texts).map(([field, value]) => (
        <div key={field}>
          <Text size="sm" fw={600}>
            {field}
          </Text>
          <Editor label={`${field} of ${kind} ${name}`} text={value} onChange={(next) => setTexts({ ...texts, [field]: next })} marks={said.filter((mark) => mark.field === field)} disabled={!can} wrap />
        </div>
      ))}
      <div>
        <Text size="sm" fw={600}>
          {Object.keys(texts).length > 0 ? "Everything else, as JSON" : "Body, as JSON"}
        </Text>
        <Editor label={`body of ${kind} ${name} as JSON`} text={text} onChange={setText} marks={said.filter((mark) => mark.field === "")} disabled={!can} rows={Object.keys(texts).length > 0 ? 3 : 8} />
      </div>
      <Group align="flex-end" gap="sm">
        <TextInput label="Reason" required flex={2} miw={220} value={reason} onChange={(event) => setReason(event.currentTarget.value)} placeholder="kept with the change" />
        <TextInput label="Comment" flex={2} miw={220} value={comment} onChange={(event) => setComment(event.currentTarget.value)} placeholder="what to know about this version" />
      </Group>
      <SaveButtons lacking={lacking} isBusy={save.busy} onDraft={() => void submit(true)} />
      {!lacking && (
        <Text size="xs" c="dimmed">
          {from ? "It fits. " : "It fits; this is version 1. "}A draft changes nothing until somebody promotes it.
        </Text>
      )}
      <ProblemNote problem={save.problem ?? checked.error} />
    </Stack>
  );
}

function parse(text: string): { value: unknown; mark: Mark | null } {
  try {
    const value: unknown = JSON.parse(text);
    if (value === null || typeof value !== "object" || Array.isArray(value)) return { value, mark: { line: 1, message: "A body is a JSON object: { ... }" } };
    return { value, mark: null };
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    const at = /position (\d+)/.exec(said);
    const line = at ? text.slice(0, Number(at[1])).split("\n").length : 0;
    return { value: null, mark: { line: line || text.split("\n").length, message: said.replace(/ in JSON at position.*$/, "") } };
  }
}
