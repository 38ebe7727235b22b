import { Alert, Group, Paper, SimpleGrid, Text } from "@mantine/core";
import type { ReactNode } from "react";
import { type Query } from "../../api";
import { LazyChart, Loading, Money, moneyText, ProblemNote } from "../../ui";
import { type Report, useReport } from "./report";

/** The whole, and how it came day by day. */
export function Overview({ asked }: { asked: Query }) {
  const { data, error, isLoading, refetch } = useReport("day", asked);
  if (isLoading) return <Loading />;
  if (!data) return <ProblemNote problem={error} retry={() => void refetch()} />;
  const { total } = data;
  const tokens = tokensOf(total);
  const isFree = data.lines.every((line) => Number(line.cost_usd) === 0);
  return (
    <>
      <ProblemNote problem={error} retry={() => void refetch()} />
      {data.filling && (
        <Alert variant="light" color="blue" mb="sm">
          Runs that ended before costs were kept are being added: the figures still grow.
        </Alert>
      )}
      <SimpleGrid cols={{ base: 2, sm: 4 }} mb="md">
        <Figure name="Cost">
          <Money usd={total.cost_usd} />
        </Figure>
        <Figure name="Runs that ended">
          {total.runs.toLocaleString()}
          {total.failed > 0 && (
            <Text span size="sm" c="var(--mantine-color-error)">
              {" "}
              {total.failed.toLocaleString()} failed
            </Text>
          )}
        </Figure>
        <Figure name="Tokens">{tokens.toLocaleString()}</Figure>
        <Figure name="Calls">
          {total.model_calls.toLocaleString()}
          <Text span size="sm" c="dimmed">
            {" "}
            models
          </Text>{" "}
          {total.tool_calls.toLocaleString()}
          <Text span size="sm" c="dimmed">
            {" "}
            tools
          </Text>
        </Figure>
      </SimpleGrid>
      {total.runs > 0 && !(isFree && tokens === 0) && (
        <Paper withBorder p="sm" mb="md">
          {isFree && (
            <Text size="sm" c="dimmed" mb="xs">
              Tokens by day: no run has cost anything.
            </Text>
          )}
          <div role="img" aria-label={`${isFree ? `Tokens by day: ${tokens.toLocaleString()}` : `Cost by day: ${moneyText(total.cost_usd)}`} from ${data.since} to ${data.until}`}>
            {isFree ? (
              <LazyChart kind="bar" x="day" height={220} series={[{ name: "tokens", label: "Tokens" }]} data={data.lines.map((line) => ({ day: line.name.slice(5), tokens: tokensOf(line) }))} format={(value) => value.toLocaleString()} />
            ) : (
              <LazyChart kind="bar" x="day" height={220} series={[{ name: "cost", label: "Cost" }]} data={data.lines.map((line) => ({ day: line.name.slice(5), cost: Number(line.cost_usd) }))} format={moneyText} />
            )}
          </div>
        </Paper>
      )}
      {(data.waiting ?? 0) > 0 && (
        <Group mb="xs">
          <Text size="xs" c="dimmed">
            {data.waiting} runs that ended just now are not in it yet.
          </Text>
        </Group>
      )}
    </>
  );
}

function tokensOf({ input_tokens, output_tokens, cache_read_tokens, cache_write_tokens }: Report["total"]): number {
  return input_tokens + output_tokens + cache_read_tokens + cache_write_tokens;
}

function Figure({ name, children }: { name: string; children: ReactNode }) {
  return (
    <Paper withBorder p="sm">
      <Text size="xs" c="dimmed">
        {name}
      </Text>
      <Text fw={600} size="lg" component="div" style={{ overflowWrap: "anywhere" }}>
        {children}
      </Text>
    </Paper>
  );
}
