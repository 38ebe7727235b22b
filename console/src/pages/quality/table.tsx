import { Anchor, Badge, Button, Group, Stack, Text, Title, Tooltip } from "@mantine/core";
import { api, piece, type Schemas, useAct, useCan, useGet, usePages, whyNot } from "../../api";
import { DataTable, Empty, Fact, LazyChart, Loading, PageHead, ProblemNote, StatusBadge, UrlTabs, useUrlState, When } from "../../ui";
import { Notifiers } from "./notifiers";
import { PROPOSALS, ruleRoute, RUNS, SCORES, tablePath } from "./paths";
import { Proposals } from "./proposals";
import { daily, rateText } from "./rate";
import { Rules } from "./rules";
import { RunDrawer, RunLog } from "./runs";
import { Schedules } from "./schedules";
import { ScoreFacts, Window } from "./scores";
import { Started } from "./started";
import { TableForm } from "./tableform";

type Table = Schemas["Table"];

/** One table: how well it keeps what was promised, and everything that watches it. */
export function TablePage({ id }: { id: string }) {
  const [, setUrl] = useUrlState({ tab: "overview" });
  const table = useGet<Table>(tablePath(id));
  const waiting = usePages<Schemas["Proposal"]>(PROPOSALS, { table_id: id, limit: 50 });
  const crumbs = [{ label: "Data quality", href: "/quality" }];
  if (table.error && !table.data) {
    return (
      <>
        <PageHead title={id} crumbs={crumbs} />
        {table.error.status === 404 ? (
          <Empty title="There is no such table">
            Register it: <code>remit tables add {id} --location PATH-OR-URL</code>
          </Empty>
        ) : (
          <ProblemNote problem={table.error} retry={() => void table.refetch()} />
        )}
      </>
    );
  }
  return (
    <>
      <PageHead
        title={
          <Group gap="xs">
            <span style={{ overflowWrap: "anywhere" }}>{id}</span>
            {table.data && !table.data.active && <StatusBadge status="disabled" />}
            {table.data?.owner && (
              <Badge variant="default" tt="none" radius="sm" component="a" href={`#/quality?owner=${encodeURIComponent(table.data.owner)}`} style={{ cursor: "pointer" }}>
                {table.data.owner}
              </Badge>
            )}
          </Group>
        }
        tab={id}
        crumbs={crumbs}
        actions={<Actions id={id} />}
      />
      {!table.data ? (
        <Loading />
      ) : (
        <UrlTabs
          tabs={[
            { value: "overview", label: "Overview", panel: <Overview table={table.data} /> },
            { value: "rules", label: "Rules", panel: <Rules table={id} /> },
            { value: "proposals", label: "Proposals", count: waiting.items.length, panel: <Proposals table={id} /> },
            { value: "runs", label: "Run log", panel: <RunLog table={id} /> },
            { value: "schedules", label: "Schedules", panel: <Schedules prefix={`validation/${id}/`} /> },
            { value: "notifiers", label: "Who is told", panel: <Notifiers table={id} /> },
            { value: "changes", label: "Changes", panel: <TableChanges id={id} /> },
            { value: "edit", label: "Edit", panel: <TableForm table={table.data} onSaved={() => setUrl({ tab: "overview" })} /> },
          ]}
        />
      )}
      <RunDrawer />
    </>
  );
}

function Overview({ table }: { table: Table }) {
  const [{ days }] = useUrlState({ days: "30" });
  const card = useGet<Schemas["Scorecard"]>(`${SCORES}/tables/${piece(table.table_id)}`, { days });
  const score = card.data?.tables[0];
  return (
    <Stack>
      <Group align="flex-end" justify="space-between">
        {score ? <ScoreFacts score={score} /> : <span />}
        <Window />
      </Group>
      <ProblemNote problem={card.error} retry={() => void card.refetch()} />
      {score && card.data && (
        <>
          {score.failing.length > 0 && (
            <Text size="sm">
              Failing now:{" "}
              {score.failing.map((rule, at) => (
                <span key={rule}>
                  {at > 0 && ", "}
                  <Anchor href={`#${ruleRoute(rule)}`} size="sm" underline="always">
                    {rule}
                  </Anchor>
                </span>
              ))}
            </Text>
          )}
          {score.history.length > 1 ? (
            <section aria-label="history">
              <Title order={2} size="h5" mb="xs">
                Passed each day, in per cent
              </Title>
              <LazyChart kind="bar" x="day" series={[{ name: "rate", label: "passed" }]} data={daily(score, card.data.days, card.data.until)} height={180} format={rateText} />
            </section>
          ) : (
            <Text size="sm" c="dimmed">
              {score.history.length === 1 ? "It ran on one day so far; the history begins with the second." : "Nothing ran in this time: “Check now” runs every rule of the table."}
            </Text>
          )}
        </>
      )}
      <section aria-label="table">
        <Title order={2} size="h5" mb={4}>
          The table
        </Title>
        <Fact name="Source">{`${table.source}, ${table.format}`}</Fact>
        <Fact name="Location">
          <code>{table.location}</code>
        </Fact>
        <Fact name="Owner">{table.owner || "nobody"}</Fact>
        <Fact name="Checked">{table.schedule || "only when somebody asks, or by the schedules of its rules"}</Fact>
        {table.partition_key && <Fact name="Partition">{table.partition_key}</Fact>}
        <Fact name="Registered">
          <When ts={table.created_at} />
        </Fact>
      </section>
    </Stack>
  );
}

function Actions({ id }: { id: string }) {
  const canRun = useCan("run");
  const canEdit = useCan("edit");
  const path = tablePath(id);
  const check = useAct(() => api.post<Schemas["Submitted"]>(`${path}/validate`), { touches: [RUNS, SCORES] });
  const suggest = useAct(() => api.post<Schemas["Submitted"]>(`${path}/suggest`), { touches: [PROPOSALS] });
  const [{ started }, set] = useUrlState({ started: "" });
  const begin = async (act: { run: (given: void) => Promise<Schemas["Submitted"] | undefined> }) => {
    const made = await act.run();
    if (made) set({ started: made.run_id });
  };
  const mayPropose = canRun && canEdit;
  return (
    <>
      <Started run={started} touches={[RUNS, SCORES, PROPOSALS]} />
      <Tooltip label={canRun ? whyNot(canEdit, "edit") : whyNot(canRun, "run")} disabled={mayPropose}>
        <Button size="xs" variant="default" disabled={!mayPropose} loading={suggest.busy} onClick={() => void begin(suggest)}>
          Propose rules
        </Button>
      </Tooltip>
      <Tooltip label={whyNot(canRun, "run")} disabled={canRun}>
        <Button size="xs" disabled={!canRun} loading={check.busy} onClick={() => void begin(check)}>
          Check now
        </Button>
      </Tooltip>
    </>
  );
}

function TableChanges({ id }: { id: string }) {
  const { items, more, hasMore, isLoading, problem, refetch } = usePages<Schemas["RecordChange"]>(`${tablePath(id)}/changes`);
  if (problem) return <ProblemNote problem={problem} retry={refetch} />;
  if (isLoading) return <Loading />;
  return (
    <DataTable
      rows={items}
      name="changes"
      rowKey={(change) => `${change.changed_ts}/${change.action}`}
      more={more}
      hasMore={hasMore}
      empty={<Empty title="Nothing was changed yet" />}
      columns={[
        { key: "when", title: "When", width: 190, cell: (change) => <When ts={change.changed_ts} />, csv: (change) => new Date(change.changed_ts).toISOString() },
        { key: "action", title: "Change", width: 110, cell: (change) => <StatusBadge status={change.action} />, csv: (change) => change.action },
        { key: "by", title: "By", width: 160, cell: (change) => change.author, csv: (change) => change.author },
        { key: "what", title: "What", cell: (change) => <span title={changed(change)}>{changed(change)}</span>, csv: changed },
        { key: "reason", title: "Reason", cell: (change) => <span title={change.reason}>{change.reason}</span>, csv: (change) => change.reason },
      ]}
    />
  );
}

/** The fields that a change moved: `owner: ana → bob`. */
function changed(change: Schemas["RecordChange"]): string {
  const before = (change.before ?? {}) as Record<string, unknown>;
  const after = (change.after ?? {}) as Record<string, unknown>;
  if (!change.before || !change.after) return "";
  const text = (value: unknown) => (value === "" || value === undefined ? "nothing" : String(value));
  return Object.keys(after)
    .filter((name) => before[name] !== after[name])
    .map((name) => `${name}: ${text(before[name])} → ${text(after[name])}`)
    .join("; ");
}
