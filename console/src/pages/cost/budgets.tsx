import { Badge, Group, Paper, Progress, Stack, Text } from "@mantine/core";
import { type Schemas, usePages } from "../../api";
import { moneyText, ProblemNote } from "../../ui";

type Envelope = Schemas["Envelope"];

/** What all runs of a tenant may spend together, and how much of it is gone. */
export function Budgets() {
  const { items, problem, refetch, hasMore, more, isLoading } = usePages<Envelope>("/api/v1/budgets", { limit: 200 }, { refetchInterval: 30_000 });
  if (problem) return <ProblemNote problem={problem} retry={refetch} />;
  if (isLoading) return null;
  if (items.length === 0)
    return (
      <Text size="sm" c="dimmed" mb="md">
        No budget limits what runs may spend together: each run has its own, from its profile. Set one with <code>remit budgets set</code>.
      </Text>
    );
  return (
    <Stack gap="xs" mb="md" role="list" aria-label="Budgets">
      {items.map((one) => (
        <Budget key={one.tenant_id} envelope={one} />
      ))}
      {hasMore && (
        <Text size="xs">
          <button type="button" onClick={more}>
            more budgets
          </button>
        </Text>
      )}
    </Stack>
  );
}

function Budget({ envelope }: { envelope: Envelope }) {
  const { limit_usd, used_usd, reserved_usd, left_usd, limit_tokens, used_tokens, reserved_tokens, left_tokens } = envelope;
  return (
    <Paper withBorder p="sm" role="listitem">
      <Group justify="space-between" mb={6}>
        <Text size="sm" fw={600} style={{ overflowWrap: "anywhere" }}>
          Budget of {envelope.tenant_id}
        </Text>
        {envelope.near_limit && (
          <Badge color="orange" variant="light" radius="sm" tt="none">
            near its limit
          </Badge>
        )}
      </Group>
      {left_usd !== null && <Bar what="money" limit={num(limit_usd)} used={num(used_usd)} reserved={num(reserved_usd)} left={Number(left_usd)} text={moneyText} />}
      {left_tokens !== null && <Bar what="tokens" limit={limit_tokens} used={used_tokens} reserved={reserved_tokens} left={left_tokens} text={(value) => `${value.toLocaleString()} tokens`} />}
      {left_usd === null && left_tokens === null && (
        <Text size="sm" c="dimmed">
          without a limit; {moneyText(used_usd ?? 0)} used
        </Text>
      )}
    </Paper>
  );
}

interface BarProps {
  what: string;
  limit: number | null;
  used: number | null;
  reserved: number | null;
  left: number;
  text: (value: number) => string;
}

function Bar({ what, limit, used, reserved, left, text }: BarProps) {
  if (limit === null)
    return (
      <Text size="sm">
        {text(left)} left
      </Text>
    );
  const share = (value: number | null) => (limit > 0 ? Math.min(100, ((value ?? 0) / limit) * 100) : 100);
  return (
    <Stack gap={4}>
      <Progress.Root size="lg" aria-label={`How much ${what} is used and reserved`}>
        <Progress.Section value={share(used)} color="teal" aria-label={`used ${text(used ?? 0)}`} />
        <Progress.Section value={share(reserved)} color="yellow" striped aria-label={`reserved ${text(reserved ?? 0)}`} />
      </Progress.Root>
      <Text size="xs" c="dimmed">
        {text(used ?? 0)} used, {text(reserved ?? 0)} reserved by runs under way, {text(left)} of {text(limit)} left
      </Text>
    </Stack>
  );
}

function num(value: string | null): number | null {
  return value === null ? null : Number(value);
}
