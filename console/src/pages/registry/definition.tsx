import { Alert, Anchor, Button, Group, SimpleGrid, Stack, Text, Tooltip } from "@mantine/core";
import { useState } from "react";
import { api, type Schemas, useAct, useCan, useGet, whyNot } from "../../api";
import { Code, download, Empty, Fact, Json, Loading, PageHead, ProblemNote, UrlTabs, useConfirm, useUrlState, When } from "../../ui";
import { AliasesPanel } from "./aliases";
import { Changes } from "./changes";
import { Edit } from "./edit";
import { DEFINITIONS, pathOf, RULE_KIND, touchedBy } from "./paths";
import { Aliases, State, stateOf } from "./state";
import { Versions } from "./versions";

type Head = Schemas["Head"];
type Definition = Schemas["Definition"];

/** One definition: what is active or was at a time, every version, aliases, changes, and the next version. */
export function DefinitionPage({ kind, name }: { kind: string; name: string }) {
  const path = pathOf(kind, name);
  const [, setUrl] = useUrlState({ tab: "" });
  const [{ at }] = useUrlState({ at: "" });
  const head = useGet<Head>(`${path}/head`);
  const kinds = useGet<Schemas["Kinds"]>(`${DEFINITIONS}/kinds`, {}, { staleTime: 600_000 });
  const crumbs = [
    { label: "Registry", href: "/registry" },
    { label: kind, href: `/registry?kind=${encodeURIComponent(kind)}` },
  ];
  if (head.error?.status === 404) {
    return (
      <>
        <PageHead title={`New ${kind} ${name}`} crumbs={crumbs} />
        <Edit kind={kind} name={name} from={null} active={0} onSaved={() => (setUrl({ tab: "" }), void head.refetch())} />
      </>
    );
  }
  if (head.error && !head.data) {
    return (
      <>
        <PageHead title={name} crumbs={crumbs} />
        <ProblemNote problem={head.error} retry={() => void head.refetch()} />
      </>
    );
  }
  if (!head.data) return <><PageHead title={name} crumbs={crumbs} /><Loading /></>;
  const stands = head.data;
  const active = stands.active.version ?? 0;
  const remark = kinds.data?.items.find((one) => one.kind === kind)?.remark;
  return (
    <>
      <PageHead
        title={
          <Group gap="xs">
            <span style={{ overflowWrap: "anywhere" }}>{name}</span>
            <State head={stands} />
            <Aliases head={stands} />
          </Group>
        }
        tab={`${kind} ${name} [${stateOf(stands).toUpperCase()}]`}
        crumbs={crumbs}
        actions={<Actions head={stands} />}
      />
      <UrlTabs
        tabs={[
          { value: "body", label: at ? "As it stood" : active ? `Version ${active}, active` : "Newest version", panel: <Body head={stands} at={at} /> },
          { value: "versions", label: "Versions", count: stands.latest, panel: <Versions kind={kind} name={name} active={active} /> },
          { value: "aliases", label: "Aliases", count: Object.keys(stands.aliases ?? {}).length, panel: <AliasesPanel head={stands} /> },
          { value: "changes", label: "Changes", count: stands.revision, panel: <Changes path={`${path}/changes`} /> },
          { value: "edit", label: "Edit", panel: <EditPanel head={stands} remark={remark} onSaved={(made) => setUrl({ tab: made.status === "draft" ? "versions" : "" })} /> },
        ]}
      />
    </>
  );
}

function EditPanel({ head, remark, onSaved }: { head: Head; remark: string | undefined; onSaved: (made: Definition) => void }) {
  const path = pathOf(head.kind, head.name);
  const active = head.active.version ?? 0;
  // Of the version that was active when the edit began: what somebody else makes active meanwhile must not take the text away.
  const [version] = useState(active || head.latest);
  const from = useGet<Definition>(path, { version });
  if (from.error) return <ProblemNote problem={from.error} retry={() => void from.refetch()} />;
  if (!from.data) return <Loading />;
  return (
    <>
      {remark && (
        <Text size="sm" c="dimmed" mb="xs">
          A change of this kind: {remark}.
        </Text>
      )}
      <Edit kind={head.kind} name={head.name} from={from.data} active={active} onSaved={onSaved} />
    </>
  );
}

function Body({ head, at }: { head: Head; at: string }) {
  const path = pathOf(head.kind, head.name);
  const [, setUrl] = useUrlState({ at: "" });
  const active = head.active.version ?? 0;
  const found = useGet<Definition>(path, at ? { at } : { version: active || head.latest });
  const made = found.data;
  return (
    <Stack>
      {at && (
        <Alert color="blue" variant="light" title="As it stood">
          <Group gap="xs">
            <Text size="sm">
              This is what was active on <When ts={Number(at)} />.
            </Text>
            <Button size="compact-xs" variant="default" onClick={() => setUrl({ at: "" })}>
              Show what is active now
            </Button>
          </Group>
        </Alert>
      )}
      {found.error && (found.error.status === 404 ? <Empty title="Nothing of it was active then">The changes say when that was so.</Empty> : <ProblemNote problem={found.error} retry={() => void found.refetch()} />)}
      {!found.error && !made && <Loading />}
      {made && (
        <>
          <SimpleGrid cols={{ base: 1, md: 2 }} spacing={4}>
            <Fact name="Version">
              {made.version} of {head.latest}
            </Fact>
            <Fact name="Made">
              <When ts={made.created_at} /> by {made.change_author || "–"}
            </Fact>
            <Fact name="Reason">{made.change_reason || "–"}</Fact>
            <Fact name="Comment">{made.comment || "–"}</Fact>
            <Fact name="Digest">
              <code title={made.digest}>{made.digest.replace("sha256:", "").slice(0, 16)}</code>
            </Fact>
            <Fact name="Kept up to date">{head.source === "files" ? "from files, by remit apply" : "by hand"}</Fact>
          </SimpleGrid>
          {made.kind === RULE_KIND && (
            <Anchor size="sm" href={`#/quality/rules/${encodeURIComponent(made.name)}`}>
              Its runs, numbers and failing rows
            </Anchor>
          )}
          <BodyText body={made.body} />
        </>
      )}
    </Stack>
  );
}

/** A body: long texts as they are, the rest as a tree. */
function BodyText({ body }: { body: Record<string, unknown> }) {
  const texts = Object.entries(body).filter((entry): entry is [string, string] => typeof entry[1] === "string" && (entry[1].includes("\n") || entry[1].length > 120));
  const rest = Object.fromEntries(Object.entries(body).filter(([key]) => !texts.some(([text]) => text === key)));
  return (
    <Stack gap="sm">
      {texts.map(([key, text]) => (
        <div key={key}>
          <Text size="sm" fw={600}>
            {key}
          </Text>
          <Code text={text} label={key} />
        </div>
      ))}
      {Object.keys(rest).length > 0 && <Json value={rest} open={3} label="body" />}
    </Stack>
  );
}

function Actions({ head }: { head: Head }) {
  const confirm = useConfirm();
  const can = useCan("edit");
  const path = pathOf(head.kind, head.name);
  const touches = touchedBy(head.kind, head.name);
  const active = head.active.version ?? 0;
  const turn = head.enabled ? "disable" : "enable";
  const swap = useAct((reason: string) => api.post(`${path}/${turn}`, { reason }), { done: `${head.name} is switched ${head.enabled ? "off" : "on"}.`, touches });
  const archive = useAct((reason: string) => api.post(`${path}/archive`, { reason, expect_version: active }), { done: `${head.name} is archived.`, touches });
  const save = useAct(async () => {
    const made = await api.get<Definition>(path, { version: active || head.latest });
    const document = { kind: head.kind, name: head.name, comment: made.comment || undefined, enabled: head.enabled ? undefined : false, spec: made.body };
    download(`${head.kind}-${head.name}.json`, `${JSON.stringify(document, null, 2)}\n`, "application/json");
  });
  const ask = async (title: string, action: string, act: { run: (reason: string) => unknown }, danger: boolean) => {
    const { ok, reason } = await confirm({ title, action, reason: true, danger });
    if (ok) void act.run(reason);
  };
  return (
    <>
      <Tooltip label="A file for `remit apply -f`">
        <Button size="xs" variant="default" loading={save.busy} onClick={() => void save.run()}>
          Export
        </Button>
      </Tooltip>
      {active > 0 && (
        <>
          <Tooltip label={whyNot(can, "edit")} disabled={can}>
            <Button size="xs" variant="default" disabled={!can} loading={swap.busy} onClick={() => void ask(`Switch ${head.name} ${head.enabled ? "off" : "on"}`, head.enabled ? "Switch off" : "Switch on", swap, head.enabled)}>
              {head.enabled ? "Switch off" : "Switch on"}
            </Button>
          </Tooltip>
          <Tooltip label={whyNot(can, "edit")} disabled={can}>
            <Button size="xs" variant="default" disabled={!can} loading={archive.busy} onClick={() => void ask(`Archive ${head.name}: nothing of it will be active, and every version is kept`, "Archive", archive, true)}>
              Archive
            </Button>
          </Tooltip>
        </>
      )}
    </>
  );
}
