import { Anchor, Button, Card, Group, Stack, Text, Tooltip } from "@mantine/core";
import { api, type Schemas, useAct, useCan, usePages, whyNot } from "../../api";
import { Code, Empty, Loading, ProblemNote, StatusBadge, useConfirm, When } from "../../ui";
import { readable } from "../registry/readable";
import { PROPOSALS, rulePath, ruleRoute, tableRoute, TOUCHED } from "./paths";

type Proposal = Schemas["Proposal"];

/** Rules that an agent or somebody else proposed: accept them, or refuse them with a reason. */
export function Proposals({ table = "" }: { table?: string }) {
  const { items, more, hasMore, isLoading, problem, refetch } = usePages<Proposal>(PROPOSALS, { table_id: table, limit: 50 });
  if (problem) return <ProblemNote problem={problem} retry={refetch} />;
  if (isLoading) return <Loading />;
  if (items.length === 0) {
    return (
      <Empty title="No proposal waits" action={hasMore ? <Button variant="default" onClick={more}>Look further</Button> : undefined}>
        “Propose rules” on a table's page looks at its data and leaves what holds for it here; <code>remit validate suggest TABLE --write</code> does the same.
      </Empty>
    );
  }
  return (
    <Stack gap="xs" role="list" aria-label="proposals">
      {items.map((proposal) => (
        <One key={`${proposal.rule.config_id}/${proposal.rule.version}`} proposal={proposal} withTable={!table} />
      ))}
      {hasMore && (
        <Button variant="default" size="xs" onClick={more} style={{ alignSelf: "center" }}>
          Load more
        </Button>
      )}
    </Stack>
  );
}

function One({ proposal: { rule, active_version, differences }, withTable }: { proposal: Proposal; withTable: boolean }) {
  const confirm = useConfirm();
  const can = useCan("edit");
  const path = rulePath(rule.config_id);
  const accept = useAct(() => api.post(`${path}/promote`, { version: rule.version, reason: "proposal accepted", expect_version: active_version }), { done: `Rule ${rule.config_id} is active.`, touches: TOUCHED });
  const refuse = useAct((reason: string) => api.post(`${path}/refuse`, { version: rule.version, reason }), { done: `Proposal ${rule.config_id} is refused.`, touches: TOUCHED });
  const ask = async () => {
    const { ok, reason } = await confirm({ title: `Refuse the proposal ${rule.config_id}`, action: "Refuse", reason: true, danger: true });
    if (ok) void refuse.run(reason);
  };
  const busy = accept.busy || refuse.busy;
  const isOld = active_version > rule.version;
  return (
    <Card withBorder padding="sm" role="listitem">
      <Group justify="space-between" align="flex-start" wrap="nowrap" gap="md">
        <div style={{ minWidth: 0 }}>
          <Group gap="xs">
            <Anchor href={`#${ruleRoute(rule.config_id)}`} fw={600} style={{ overflowWrap: "anywhere" }}>
              {rule.config_id}
            </Anchor>
            <StatusBadge status={active_version ? `changes version ${active_version}` : "new"} />
            <Text size="sm" c="dimmed">
              {rule.validation_type}
              {withTable && (
                <>
                  {" of "}
                  <a href={`#${tableRoute(rule.table_id)}`}>{rule.table_id}</a>
                </>
              )}
              {rule.schedule && `, ${rule.schedule}`}
            </Text>
          </Group>
          <Text size="sm" mt={4} style={{ overflowWrap: "anywhere" }}>
            {rule.change_reason}
          </Text>
          <Text size="xs" c="dimmed" mt={2}>
            by {rule.change_author}, <When ts={rule.created_at} />
            {isOld && "; older than the version that is active"}
          </Text>
        </div>
        <Group gap="xs" wrap="nowrap">
          <Tooltip label={whyNot(can, "edit")} disabled={can}>
            <Button size="xs" disabled={!can || busy} loading={accept.busy} onClick={() => void accept.run()} aria-label={`Accept ${rule.config_id}`}>
              Accept
            </Button>
          </Tooltip>
          <Tooltip label={whyNot(can, "edit")} disabled={can}>
            <Button size="xs" variant="default" disabled={!can || busy} onClick={() => void ask()} aria-label={`Refuse ${rule.config_id}`}>
              Refuse
            </Button>
          </Tooltip>
        </Group>
      </Group>
      <div style={{ marginTop: 8 }}>{active_version > 0 ? <Differences items={differences} /> : <Code text={readable(rule.parameters)} label={`parameters of ${rule.config_id}`} maxHeight={120} />}</div>
    </Card>
  );
}

/** Places that differ, each with the old and the new value. */
function Differences({ items }: { items: Proposal["differences"] }) {
  if (items.length === 0) return <Text size="sm" c="dimmed">It is the same as the active version.</Text>;
  const text = (value: unknown) => (value === undefined || value === null ? "nothing" : typeof value === "string" ? value : JSON.stringify(value));
  return (
    <Stack gap={2}>
      {items.map((one) => (
        <Text key={one.path} size="sm" style={{ overflowWrap: "anywhere" }}>
          <code>{one.path}</code>: {text(one.old)} → <b>{text(one.new)}</b>
        </Text>
      ))}
    </Stack>
  );
}
