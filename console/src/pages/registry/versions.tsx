import { Button, Group, Select, Stack, Text, Title, Tooltip } from "@mantine/core";
import { api, type Schemas, useAct, useCan, useGet, usePages, whyNot } from "../../api";
import { DataTable, Empty, Loading, ProblemNote, StatusBadge, TextDiff, useConfirm, useUrlState, When } from "../../ui";
import { pathOf, touchedBy } from "./paths";
import { readable } from "./readable";

type Definition = Schemas["Definition"];

interface Of {
  kind: string;
  name: string;
  active: number;
}

/** Every version of a definition, what differs between any two, and the ways to make another one active. */
export function Versions({ kind, name, active }: Of) {
  const path = pathOf(kind, name);
  const { items, more, hasMore, isLoading, problem, refetch } = usePages<Definition>(`${path}/versions`);
  const [chosen, choose] = useUrlState({ a: "", b: "" });
  if (problem) return <ProblemNote problem={problem} retry={refetch} />;
  if (isLoading) return <Loading />;
  const numbers = items.map((item) => String(item.version));
  // Without a choice: what the newest change of the body was.
  const b = chosen.b || numbers[0] || "";
  const a = chosen.a || (active && String(active) !== b ? String(active) : (numbers[1] ?? ""));
  return (
    <Stack>
      <DataTable
        rows={items}
        name="versions"
        rowKey={(item) => String(item.version)}
        more={more}
        hasMore={hasMore}
        height={320}
        onRow={(item) => choose({ b: String(item.version), a: String(active || "") === String(item.version) ? (numbers.find((other) => other !== String(item.version)) ?? "") : String(active || "") })}
        empty={<Empty title="There is no version" />}
        columns={[
          { key: "version", title: "Version", width: 80, align: "right", cell: (item) => item.version, csv: (item) => item.version },
          { key: "status", title: "Status", width: 100, cell: (item) => <StatusBadge status={item.status ?? "active"} />, csv: (item) => item.status },
          { key: "made", title: "Made", width: 190, cell: (item) => <When ts={item.created_at} />, csv: (item) => new Date(item.created_at ?? 0).toISOString() },
          { key: "by", title: "By", width: 150, cell: (item) => item.change_author, csv: (item) => item.change_author },
          { key: "reason", title: "Reason", cell: (item) => <Text size="sm" truncate maw={300} title={item.change_reason}>{item.change_reason}</Text>, csv: (item) => item.change_reason },
          { key: "comment", title: "Comment", cell: (item) => <Text size="sm" truncate maw={170} title={item.comment}>{item.comment || "–"}</Text>, csv: (item) => item.comment },
          { key: "do", title: "Do", width: 170, align: "right", cell: (item) => <Moves kind={kind} name={name} active={active} version={item.version} status={item.status ?? "active"} /> },
        ]}
      />
      {numbers.length > 1 && (
        <section aria-label="comparison">
          <Group gap="xs" mb="xs" align="flex-end">
            <Title order={2} size="h5" mb={6}>
              What differs
            </Title>
            <Select size="xs" w={110} label="From version" data={withOther(numbers, a)} value={a} allowDeselect={false} onChange={(value) => choose({ a: value ?? "", b })} />
            <Select size="xs" w={110} label="To version" data={withOther(numbers, b)} value={b} allowDeselect={false} onChange={(value) => choose({ a, b: value ?? "" })} />
          </Group>
          <Difference kind={kind} name={name} a={a} b={b} />
        </section>
      )}
    </Stack>
  );
}

function withOther(numbers: readonly string[], chosen: string): string[] {
  return !chosen || numbers.includes(chosen) ? [...numbers] : [...numbers, chosen];
}

/** What differs between two versions, as text. */
export function Difference({ kind, name, a, b }: { kind: string; name: string; a: string; b: string }) {
  const path = pathOf(kind, name);
  const old = useGet<Definition>(path, { version: a }, { enabled: Boolean(a) });
  const now = useGet<Definition>(path, { version: b }, { enabled: Boolean(b) });
  const problem = old.error ?? now.error;
  if (problem) return <ProblemNote problem={problem} />;
  if (!old.data || !now.data) return <Loading />;
  return <TextDiff before={readable(old.data.body)} after={readable(now.data.body)} />;
}

interface Move extends Of {
  version: number;
  status: string;
}

/** The buttons that make a version active, or turn a draft down; each asks for a reason, and shows what would change. */
export function Moves({ kind, name, active, version, status }: Move) {
  const confirm = useConfirm();
  const can = useCan("edit");
  const path = pathOf(kind, name);
  const touches = touchedBy(kind, name);
  const body = (reason: string, expecting: boolean) => ({ version, reason, ...(expecting ? { expect_version: active } : {}) });
  const rollback = useAct((reason: string) => api.post(`${path}/rollback`, body(reason, true)), { done: `Version ${version} is active again.`, touches });
  const promote = useAct((reason: string) => api.post(`${path}/promote`, body(reason, true)), { done: `Version ${version} is active.`, touches });
  const refuse = useAct((reason: string) => api.post(`${path}/refuse`, body(reason, false)), { done: `Draft ${version} is refused.`, touches });
  const ask = async (title: string, action: string, act: { run: (reason: string) => unknown }, danger = false) => {
    const shown = active && active !== version ? <Difference kind={kind} name={name} a={String(active)} b={String(version)} /> : null;
    const { ok, reason } = await confirm({ title, action, reason: true, danger, body: danger ? undefined : shown });
    if (ok) void act.run(reason);
  };
  const busy = rollback.busy || promote.busy || refuse.busy;
  const button = (label: string, run: () => void, color?: string) => (
    <Tooltip label={whyNot(can, "edit")} disabled={can}>
      <Button size="compact-xs" variant="default" color={color} disabled={!can || busy} onClick={run}>
        {label}
      </Button>
    </Tooltip>
  );
  if (status === "archived") return button("Roll back", () => void ask(`Make version ${version} of ${name} active again`, "Roll back", rollback));
  if (status === "draft") {
    return (
      <Group gap={4} justify="flex-end" wrap="nowrap">
        {button("Promote", () => void ask(`Make draft ${version} of ${name} active`, "Promote", promote))}
        {button("Refuse", () => void ask(`Refuse draft ${version} of ${name}`, "Refuse", refuse, true))}
      </Group>
    );
  }
  return null;
}
