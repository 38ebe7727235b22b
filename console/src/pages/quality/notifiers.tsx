import { Button, Menu, Text, Tooltip } from "@mantine/core";
import { api, piece, type Schemas, useAct, useCan, usePages, whyNot } from "../../api";
import { DataTable, Empty, Loading, ProblemNote, StatusBadge, useNow, When } from "../../ui";
import { NOTIFIERS } from "./paths";

type Notifier = Schemas["NotifierConfig"];

const MUTES: readonly (readonly [string, number])[] = [
  ["an hour", 3600],
  ["a day", 86_400],
  ["a week", 604_800],
];

/** Who is told about failing and recovering rules: of everything, or of one table or rule. */
export function Notifiers({ table = "", rule = "" }: { table?: string; rule?: string }) {
  const now = useNow();
  const { items, more, hasMore, isLoading, problem, refetch } = usePages<Notifier>(NOTIFIERS, { limit: 200 });
  if (problem) return <ProblemNote problem={problem} retry={refetch} />;
  if (isLoading) return <Loading />;
  const shown = table ? items.filter((one) => concerns(one, table, rule)) : items;
  return (
    <DataTable
      rows={shown}
      name="notifiers"
      rowKey={(one) => one.notifier_id}
      more={more}
      hasMore={hasMore}
      height={table ? 260 : undefined}
      keyless
      empty={
        <Empty title={table ? "Nobody is told" : "Nobody is told about anything"} action={hasMore ? <Button variant="default" onClick={more}>Look further</Button> : undefined}>
          Add a notifier: <code>remit notifiers add desk --channel slack --target {"'${secret:SLACK_URL}'"}</code>
        </Empty>
      }
      columns={[
        { key: "id", title: "Notifier", cell: (one) => one.notifier_id, csv: (one) => one.notifier_id },
        { key: "channel", title: "By", width: 100, cell: (one) => one.channel, csv: (one) => one.channel },
        { key: "target", title: "To", cell: (one) => <Text size="sm" truncate title={one.target}>{one.target}</Text>, csv: (one) => one.target },
        { key: "about", title: "About", cell: (one) => about(one), csv: (one) => about(one) },
        { key: "on", title: "On", width: 200, cell: (one) => one.on.join(", "), csv: (one) => one.on.join("; ") },
        { key: "state", title: "State", width: 210, cell: (one) => (!one.enabled ? <StatusBadge status="disabled" /> : one.muted_until > now ? <span>muted until <When ts={one.muted_until} /></span> : <StatusBadge status="active" />), csv: (one) => (one.muted_until > now ? "muted" : one.enabled ? "active" : "disabled") },
        { key: "do", title: "Do", width: 110, align: "right", cell: (one) => <Mute notifier={one} isMuted={one.muted_until > now} /> },
      ]}
    />
  );
}

function concerns(one: Notifier, table: string, rule: string): boolean {
  if (one.tables.length === 0 && one.configs.length === 0) return true;
  return one.tables.includes(table) || (rule ? one.configs.includes(rule) : false);
}

function about(one: Notifier): string {
  return [...one.tables, ...one.configs].join(", ") || "everything";
}

function Mute({ notifier, isMuted }: { notifier: Notifier; isMuted: boolean }) {
  const can = useCan("edit");
  const mute = useAct((seconds: number) => api.post(`${NOTIFIERS}/${piece(notifier.notifier_id)}/mute`, { seconds }), { done: (_out, seconds) => (seconds ? `${notifier.notifier_id} is muted; what still fails then is told.` : `${notifier.notifier_id} is told again.`), touches: [NOTIFIERS] });
  const button = (props: { onClick?: () => void; label: string }) => (
    <Button size="compact-xs" variant="default" disabled={!can} loading={mute.busy} onClick={props.onClick} aria-label={`${props.label} ${notifier.notifier_id}`}>
      {props.label}
    </Button>
  );
  if (!can) return <Tooltip label={whyNot(can, "edit")}>{button({ label: "Mute" })}</Tooltip>;
  if (isMuted) return button({ label: "Unmute", onClick: () => void mute.run(0) });
  return (
    <Menu position="bottom-end">
      <Menu.Target>{button({ label: "Mute" })}</Menu.Target>
      <Menu.Dropdown>
        {MUTES.map(([label, seconds]) => (
          <Menu.Item key={label} onClick={() => void mute.run(seconds)}>
            for {label}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
