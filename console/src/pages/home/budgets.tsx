import { Group, Progress, Text } from "@mantine/core";
import { type Schemas, useGet } from "../../api";
import { moneyText } from "../../ui";
import { Card, countOf, Line, SHOWN } from "./card";

type Envelope = Schemas["Envelope"];

const ASKED = { limit: 50 };
const RENEWED = { refetchInterval: 60_000 };

/** Budgets of which most is reserved or used. */
export function Budgets() {
  const { data, isLoading, error } = useGet<Schemas["Budgets"]>("/api/v1/budgets", ASKED, RENEWED);
  const near = (data?.items ?? []).filter((one) => one.near_limit).sort((left, right) => shareOf(right) - shareOf(left));
  const calm = data && data.items.length === 0 ? "No budget limits what runs may spend together." : "None is near its limit.";
  return (
    <Card title="Budgets near their limit" count={countOf(near.length, false)} calm={calm} href="/cost" all="Costs" isLoading={isLoading} problem={error}>
      {near.slice(0, SHOWN).map((one) => (
        <Line key={one.tenant_id} href="/cost" text={one.tenant_id} right={<Left envelope={one} />} />
      ))}
    </Card>
  );
}

function Left({ envelope }: { envelope: Envelope }) {
  const share = Math.round(shareOf(envelope) * 100);
  return (
    <Group gap="sm" wrap="nowrap">
      <Progress w={90} value={share} color={share >= 100 ? "red" : "orange"} aria-label={`${share} % of the budget of ${envelope.tenant_id}`} />
      <Text size="sm">{leftText(envelope)}</Text>
    </Group>
  );
}

function leftText({ left_usd, limit_usd, left_tokens }: Envelope): string {
  if (left_usd !== null && limit_usd !== null) return `${moneyText(left_usd)} of ${moneyText(limit_usd)} left`;
  return left_tokens === null ? "" : `${left_tokens.toLocaleString()} tokens left`;
}

/** How much is reserved or used: of money or of tokens, whichever is more. */
function shareOf({ limit_usd, left_usd, limit_tokens, left_tokens }: Envelope): number {
  const money = limit_usd !== null && left_usd !== null && Number(limit_usd) > 0 ? 1 - Number(left_usd) / Number(limit_usd) : 0;
  const tokens = limit_tokens && left_tokens !== null ? 1 - left_tokens / limit_tokens : 0;
  return Math.max(money, tokens);
}
