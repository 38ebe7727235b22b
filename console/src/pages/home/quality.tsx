import { Group, Text } from "@mantine/core";
import { type Schemas, useGet } from "../../api";
import { Spark } from "../../ui";
import { Card, countOf, Line, SHOWN } from "./card";

type Score = Schemas["Score"];

const ASKED = { days: 14 };
const RENEWED = { refetchInterval: 60_000 };

/** Tables whose checks fail, or go worse than they did; those that fell most on top. */
export function Quality() {
  const { data, isLoading, error } = useGet<Schemas["Scorecard"]>("/api/v1/scorecards", ASKED, RENEWED);
  const worse = (data?.tables ?? []).filter((table) => (table.trend ?? 0) < 0 || (table.failing?.length ?? 0) > 0).sort((left, right) => (left.trend ?? 0) - (right.trend ?? 0));
  const calm = data && data.tables.length === 0 ? "No table is looked after yet." : "No table fell behind.";
  return (
    <Card title="Data quality drops" count={countOf(worse.length, false)} calm={calm} href="/quality" all="Data quality" isLoading={isLoading} problem={error} color="red">
      {worse.slice(0, SHOWN).map((table) => (
        <Line key={table.subject} href={`/quality/tables/${encodeURIComponent(table.subject)}`} text={table.subject} right={<Fell score={table} />} />
      ))}
    </Card>
  );
}

function Fell({ score }: { score: Score }) {
  const failing = score.failing?.length ?? 0;
  return (
    <Group gap="sm" wrap="nowrap">
      <Spark values={(score.history ?? []).map(([, rate]) => Number(rate))} label={`pass rate of ${score.subject} by day`} />
      <Text size="sm" c="var(--mantine-color-error)">
        {score.pass_rate === null ? "–" : `${Math.round(score.pass_rate)} %`}
        {failing > 0 ? `, ${failing === 1 ? "1 rule fails" : `${failing} rules fail`}` : ""}
      </Text>
    </Group>
  );
}
