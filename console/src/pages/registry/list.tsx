import { Alert, Button, Group, Modal, Select, Stack, Text, TextInput, Tooltip } from "@mantine/core";
import { useDebouncedValue, useDisclosure } from "@mantine/hooks";
import { useEffect, useState } from "react";
import { useLocation } from "wouter";
import { api, type Schemas, useAct, useCan, useGet, usePages, whyNot } from "../../api";
import { DataTable, download, Empty, Loading, PageHead, ProblemNote, UrlTabs, useUrlState, When } from "../../ui";
import { Changes } from "./changes";
import { DEFINITIONS, routeOf } from "./paths";
import { aliasTexts, State, stateOf } from "./state";

type Head = Schemas["Head"];
const EVERY = "every kind";

/** Every definition of every kind, now or as it stood on a day; and everything that was changed. */
export function ListPage() {
  return (
    <>
      <PageHead title="Registry" actions={<HeadActions />} />
      <UrlTabs
        tabs={[
          { value: "definitions", label: "Definitions", panel: <Definitions /> },
          { value: "changes", label: "Changes", panel: <Changes path={`${DEFINITIONS}/changes`} named /> },
        ]}
      />
    </>
  );
}

function Definitions() {
  const [url, setUrl] = useUrlState({ kind: "", prefix: "", on: "" });
  const [typed, type] = useState(url.prefix);
  const [prefix] = useDebouncedValue(typed.trim(), 250);
  useEffect(() => setUrl({ prefix }), [prefix, setUrl]);
  const kinds = useKinds();
  const at = endOf(url.on);
  const { items, more, hasMore, isLoading, problem, refetch } = usePages<Head>(DEFINITIONS, { kind: url.kind, prefix: url.prefix, at, limit: 100 });
  const isFiltered = Boolean(url.kind || url.prefix || url.on);
  return (
    <Stack gap="sm">
      <Group align="flex-end" gap="xs">
        <Select label="Kind" w={190} data={[{ value: "", label: EVERY }, ...kinds]} value={url.kind} allowDeselect={false} onChange={(kind) => setUrl({ kind: kind ?? "" })} />
        <TextInput label="Name begins with" w={230} value={typed} onChange={(event) => type(event.currentTarget.value)} />
        <TextInput label="As it stood on" type="date" w={190} value={url.on} onChange={(event) => setUrl({ on: event.currentTarget.value })} />
        {isFiltered && (
          <Button variant="subtle" onClick={() => (type(""), setUrl({ kind: "", prefix: "", on: "" }))}>
            Clear
          </Button>
        )}
      </Group>
      {at !== undefined && (
        <Alert color="blue" variant="light" py="xs">
          What was there at the end of that day (<When ts={at} />). What came later is left out; what is changed here changes today.
        </Alert>
      )}
      {problem ? (
        <ProblemNote problem={problem} retry={refetch} />
      ) : isLoading ? (
        <Loading />
      ) : (
        <DataTable
          rows={items}
          name="definitions"
          rowKey={(head) => `${head.kind}/${head.name}`}
          href={(head) => `${routeOf(head.kind, head.name)}${at === undefined ? "" : `?at=${at}`}`}
          more={more}
          hasMore={hasMore}
          empty={
            isFiltered ? (
              <Empty title="Nothing fits" action={hasMore ? <Button variant="default" onClick={more}>Look further</Button> : undefined}>
                Names are matched from their beginning, as they are written.
              </Empty>
            ) : (
              <Empty title="Nothing is defined yet">
                Agents, prompts, workflows, rules and policies that are data stand here with every version. Write one with “New definition”, or apply files: <code>remit apply -f DIR</code>
              </Empty>
            )
          }
          columns={[
            { key: "name", title: "Name", cell: (head) => <a href={`#${routeOf(head.kind, head.name)}${at === undefined ? "" : `?at=${at}`}`}>{head.name}</a>, csv: (head) => head.name },
            { key: "kind", title: "Kind", width: 150, cell: (head) => head.kind, csv: (head) => head.kind },
            { key: "active", title: "Active", width: 80, align: "right", cell: (head) => head.active.version || "–", csv: (head) => head.active.version },
            { key: "latest", title: "Newest", width: 80, align: "right", cell: (head) => head.latest, csv: (head) => head.latest },
            { key: "state", title: "State", width: 110, cell: (head) => <State head={head} />, csv: (head) => stateOf(head) },
            { key: "aliases", title: "Aliases", width: 220, cell: (head) => <span title={aliasTexts(head).join("; ")}>{aliasTexts(head).join("; ") || "–"}</span>, csv: (head) => aliasTexts(head).join("; ") },
            { key: "last", title: "Last change", cell: (head) => <Text size="sm" truncate maw={240} title={head.last.reason}>{`${head.last.action} by ${head.last.author}`}</Text>, csv: (head) => `${head.last.action} by ${head.last.author}: ${head.last.reason}` },
            { key: "at", title: "When", width: 190, cell: (head) => <When ts={head.last.ts} />, csv: (head) => new Date(head.last.ts).toISOString() },
          ]}
        />
      )}
    </Stack>
  );
}

/** The last millisecond of a day in the reader's own time; undefined for no day. */
function endOf(day: string): number | undefined {
  const start = /^\d{4}-\d\d-\d\d$/.test(day) ? new Date(`${day}T00:00:00`) : null;
  if (!start || Number.isNaN(start.getTime())) return undefined;
  start.setDate(start.getDate() + 1);
  return start.getTime() - 1;
}

function useKinds(): string[] {
  const kinds = useGet<Schemas["Kinds"]>(`${DEFINITIONS}/kinds`, {}, { staleTime: 600_000 });
  return kinds.data?.items.map((one) => one.kind) ?? [];
}

function HeadActions() {
  const can = useCan("edit");
  const [{ kind }] = useUrlState({ kind: "" });
  const [isOpen, dialog] = useDisclosure();
  const save = useAct(
    async () => {
      const documents: unknown[] = [];
      let cursor: string | null | undefined = null;
      do {
        const page: Schemas["ExportedDefinitions"] = await api.get<Schemas["ExportedDefinitions"]>(`${DEFINITIONS}/documents`, { kind, limit: 200, cursor });
        documents.push(...page.items);
        cursor = page.cursor;
      } while (cursor);
      download(`${kind || "definitions"}.json`, `${JSON.stringify(documents, null, 2)}\n`, "application/json");
      return documents.length;
    },
    { done: (count) => `${count} active definitions are in the file; remit apply -f takes it.` },
  );
  return (
    <>
      <Tooltip label={`What is active of ${kind || EVERY}, as a file for remit apply`}>
        <Button size="xs" variant="default" loading={save.busy} onClick={() => void save.run()}>
          Export
        </Button>
      </Tooltip>
      <Tooltip label={whyNot(can, "edit")} disabled={can}>
        <Button size="xs" disabled={!can} onClick={dialog.open}>
          New definition
        </Button>
      </Tooltip>
      <Modal opened={isOpen} onClose={dialog.close} title="New definition">
        <NewForm kind={kind} />
      </Modal>
    </>
  );
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;

function NewForm({ kind: given }: { kind: string }) {
  const [, go] = useLocation();
  const kinds = useKinds();
  const [kind, setKind] = useState<string | null>(given || null);
  const [name, setName] = useState("");
  const isWrong = name !== "" && !NAME.test(name);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (kind && NAME.test(name)) go(`${routeOf(kind, name)}?tab=edit`);
      }}
    >
      <Stack>
        <Select label="Kind" required data={kinds} value={kind} onChange={setKind} data-autofocus />
        <TextInput label="Name" required value={name} onChange={(event) => setName(event.currentTarget.value)} error={isWrong ? "Use 1 to 128 letters, digits and _ . -, a letter or digit first." : undefined} description="A name that is there already is edited." />
        <Group justify="flex-end">
          <Button type="submit" disabled={!kind || !NAME.test(name)}>
            Write it
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
