import { Button, Group, Stack, Text, Title, Tooltip } from "@mantine/core";
import { api, type Schemas, useAct, useCan, useGet, usePages, whyNot } from "../../api";
import { Empty, Fact, Json, Loading, PageHead, ProblemNote, StatusBadge, UrlTabs, useConfirm, useUrlState, When } from "../../ui";
import { Changes } from "../registry/changes";
import { pathOf, routeOf, RULE_KIND } from "../registry/paths";
import { Moves, Versions } from "../registry/versions";
import { Notifiers } from "./notifiers";
import { Numbers } from "./numbers";
import { rulePath, RUNS, SCORES, tableRoute, TOUCHED } from "./paths";
import { FailingRows } from "./rows";
import { RuleForm } from "./ruleform";
import { Outcomes, reasonOf, RunDrawer, RunLog } from "./runs";
import { Started } from "./started";

type Rule = Schemas["TableValidation"];
type Run = Schemas["ValidationRun"];
type Head = Schemas["Head"];

const STRIP = 20;

/** One rule: what it checks, what came of it, its numbers over time, its failing rows, and every version. */
export function RulePage({ id }: { id: string }) {
  const [, set] = useUrlState({ tab: "" });
  const head = useGet<Head>(`${pathOf(RULE_KIND, id)}/head`);
  const active = head.data?.active.version ?? 0;
  const rule = useGet<Rule>(rulePath(id), { version: active || head.data?.latest }, { enabled: Boolean(head.data), placeholderData: (before) => before });
  const crumbs = [{ label: "Data quality", href: "/quality" }, ...(rule.data ? [{ label: rule.data.table_id, href: tableRoute(rule.data.table_id) }] : [])];
  const problem = head.error ?? rule.error;
  if (problem && !rule.data) {
    return (
      <>
        <PageHead title={id} crumbs={crumbs} />
        {problem.status === 404 ? <Empty title="There is no such rule">It may belong to another tenant, or never have been written.</Empty> : <ProblemNote problem={problem} retry={() => (void head.refetch(), void rule.refetch())} />}
      </>
    );
  }
  if (!head.data || !rule.data) return <><PageHead title={id} crumbs={crumbs} /><Loading /></>;
  const state = rule.data.status === "active" && !head.data.enabled ? "disabled" : rule.data.status;
  return (
    <>
      <PageHead
        title={
          <Group gap="xs">
            <span style={{ overflowWrap: "anywhere" }}>{id}</span>
            <StatusBadge status={state} />
          </Group>
        }
        tab={`${id} [${state.toUpperCase()}]`}
        crumbs={crumbs}
        actions={<Actions rule={rule.data} head={head.data} />}
      />
      <UrlTabs
        tabs={[
          { value: "overview", label: "Overview", panel: <Overview rule={rule.data} head={head.data} /> },
          { value: "numbers", label: "Numbers", panel: <Numbers id={id} /> },
          { value: "runs", label: "Run log", panel: <RunLog rule={id} /> },
          { value: "versions", label: "Versions", count: head.data.latest, panel: <Versions kind={RULE_KIND} name={id} active={active} /> },
          { value: "changes", label: "Changes", count: head.data.revision, panel: <Changes path={`${rulePath(id)}/changes`} /> },
          { value: "notifiers", label: "Who is told", panel: <Notifiers table={rule.data.table_id} rule={id} /> },
          { value: "edit", label: "Edit", panel: <RuleForm rule={rule.data} active={active} onSaved={(made) => set({ tab: made.status === "draft" ? "versions" : "" })} /> },
        ]}
      />
      <RunDrawer />
    </>
  );
}

function Overview({ rule, head }: { rule: Rule; head: Head }) {
  const { items: runs, problem, refetch } = usePages<Run>(RUNS, { config_id: rule.config_id, limit: STRIP });
  const last = runs[0];
  const failed = last && last.status !== "PASSED" ? last : undefined;
  return (
    <Stack>
      {rule.status === "draft" && (
        <Group gap="xs">
          <Text size="sm">This rule is a proposal: it does not run until somebody accepts it.</Text>
          <Moves kind={RULE_KIND} name={rule.config_id} active={head.active.version ?? 0} version={rule.version} status="draft" />
        </Group>
      )}
      <ProblemNote problem={problem} retry={refetch} />
      <Group gap="lg" align="center">
        <Outcomes runs={runs} />
        {last && (
          <Text size="sm" style={{ overflowWrap: "anywhere", minWidth: 0, flex: 1 }}>
            <StatusBadge status={last.status} /> {reasonOf(last)}
          </Text>
        )}
      </Group>
      <section aria-label="rule">
        <Fact name="Table">
          <a href={`#${tableRoute(rule.table_id)}`}>{rule.table_id}</a>
        </Fact>
        <Fact name="Checks">{rule.validation_type}</Fact>
        <Fact name="When">{rule.schedule || "with its table"}</Fact>
        <Fact name="Version">
          {rule.version} by {rule.change_author}, <When ts={rule.created_at} />
        </Fact>
        <Fact name="Reason">{rule.change_reason || "–"}</Fact>
        {rule.comment && <Fact name="Comment">{rule.comment}</Fact>}
        <Fact name="Definition">
          <a href={`#${routeOf(RULE_KIND, rule.config_id)}`}>in the registry</a>
        </Fact>
      </section>
      <Json value={rule.parameters} open={3} label="parameters" />
      {failed && (
        <section aria-label="failing rows">
          <Title order={2} size="h5" mb={4}>
            Failing rows of the last run
          </Title>
          <FailingRows run={failed.run_id} />
        </section>
      )}
    </Stack>
  );
}

function Actions({ rule, head }: { rule: Rule; head: Head }) {
  const confirm = useConfirm();
  const canRun = useCan("run");
  const canEdit = useCan("edit");
  const [{ started }, set] = useUrlState({ started: "" });
  const path = rulePath(rule.config_id);
  const active = head.active.version ?? 0;
  const run = useAct(() => api.post<Schemas["Submitted"]>(`${path}/run`));
  const swap = useAct((reason: string) => api.post(`${path}/${head.enabled ? "disable" : "enable"}`, { reason }), { done: `${rule.config_id} is switched ${head.enabled ? "off" : "on"}.`, touches: TOUCHED });
  const archive = useAct((reason: string) => api.del(path, { reason, expect_version: active }), { done: `${rule.config_id} is archived.`, touches: TOUCHED });
  const ask = async (title: string, action: string, act: { run: (reason: string) => unknown }, danger: boolean) => {
    const { ok, reason } = await confirm({ title, action, reason: true, danger });
    if (ok) void act.run(reason);
  };
  const begin = async () => {
    const made = await run.run();
    if (made) set({ started: made.run_id });
  };
  if (!active) return null;
  const edit = (label: string, act: { run: (reason: string) => unknown; busy: boolean }, title: string, danger: boolean) => (
    <Tooltip label={whyNot(canEdit, "edit")} disabled={canEdit}>
      <Button size="xs" variant="default" disabled={!canEdit} loading={act.busy} onClick={() => void ask(title, label, act, danger)}>
        {label}
      </Button>
    </Tooltip>
  );
  return (
    <>
      <Started run={started} touches={[RUNS, SCORES, `${path}/series`]} />
      {edit(head.enabled ? "Switch off" : "Switch on", swap, head.enabled ? `Let ${rule.config_id} rest: it does not run until it is switched on` : `Let ${rule.config_id} run again when it is due`, head.enabled)}
      {edit("Archive", archive, `Archive ${rule.config_id}: it no longer runs, and every version is kept`, true)}
      <Tooltip label={whyNot(canRun, "run")} disabled={canRun}>
        <Button size="xs" disabled={!canRun} loading={run.busy} onClick={() => void begin()}>
          Run now
        </Button>
      </Tooltip>
    </>
  );
}
