import { Button, Group, Select, Stack } from "@mantine/core";
import { type Schemas, usePages } from "../../api";
import { DataTable, Empty, Loading, ProblemNote, StatusBadge, useUrlState } from "../../ui";
import { ruleRoute, RUNS, tableRoute, VALIDATIONS } from "./paths";
import { Outcomes } from "./runs";

type Rule = Schemas["TableValidation"];
type Run = Schemas["ValidationRun"];

const KEPT = 10;

/** The rules of the tenant or of one table; those of a table with how their last runs ended. */
export function Rules({ table = "" }: { table?: string }) {
  const [{ status }, set] = useUrlState({ status: "active" });
  const { items, more, hasMore, isLoading, problem, refetch } = usePages<Rule>(VALIDATIONS, { table_id: table, status, limit: 100 });
  const log = usePages<Run>(RUNS, { table_id: table, limit: 200 }, { enabled: table !== "" });
  const runs = new Map<string, Run[]>();
  for (const run of log.items) {
    const mine = runs.get(run.config_id) ?? [];
    if (mine.length < KEPT) runs.set(run.config_id, [...mine, run]);
  }
  return (
    <Stack gap="sm">
      <Group align="flex-end">
        <Select label="Versions that are" w={150} data={["active", "draft", "archived"]} value={status} allowDeselect={false} onChange={(value) => set({ status: value ?? "active" })} />
      </Group>
      {problem ? (
        <ProblemNote problem={problem} retry={refetch} />
      ) : isLoading ? (
        <Loading />
      ) : (
        <DataTable
          rows={items}
          name="rules"
          rowKey={(rule) => `${rule.config_id}/${rule.version}`}
          href={(rule) => ruleRoute(rule.config_id)}
          more={more}
          hasMore={hasMore}
          empty={
            <Empty title={`No version is ${status}`} action={hasMore ? <Button variant="default" onClick={more}>Look further</Button> : undefined}>
              {status === "active" ? (
                <>
                  Let Remit propose rules from the data: <code>remit validate suggest {table || "TABLE"} --write</code>, and accept what you mean under “Proposals”.
                </>
              ) : (
                "Choose another state above."
              )}
            </Empty>
          }
          columns={[
            { key: "rule", title: "Rule", cell: (rule) => <a href={`#${ruleRoute(rule.config_id)}`}>{rule.config_id}</a>, csv: (rule) => rule.config_id },
            ...(table ? [] : [{ key: "table", title: "Table", width: 200, cell: (rule: Rule) => <a href={`#${tableRoute(rule.table_id)}`}>{rule.table_id}</a>, csv: (rule: Rule) => rule.table_id }]),
            { key: "type", title: "Checks", width: 200, cell: (rule) => rule.validation_type, csv: (rule) => rule.validation_type },
            { key: "schedule", title: "When", width: 190, cell: (rule) => rule.schedule || "with its table", csv: (rule) => rule.schedule },
            { key: "version", title: "Version", width: 80, align: "right", cell: (rule) => rule.version, csv: (rule) => rule.version },
            { key: "state", title: "State", width: 100, cell: (rule) => <StatusBadge status={rule.status === "active" && !rule.enabled ? "disabled" : rule.status} />, csv: (rule) => (rule.enabled ? rule.status : "disabled") },
            ...(table && status === "active" ? [{ key: "runs", title: `Last ${KEPT} runs`, width: 170, cell: (rule: Rule) => <Outcomes runs={runs.get(rule.config_id) ?? []} />, csv: (rule: Rule) => (runs.get(rule.config_id) ?? []).map((run) => run.status).join("; ") }] : []),
          ]}
        />
      )}
    </Stack>
  );
}
