import { Button, Group, NumberInput, Stack, Table, Text, TextInput, Title, Tooltip } from "@mantine/core";
import { useState } from "react";
import { api, piece, type Schemas, useAct, useCan, whyNot } from "../../api";
import { useConfirm } from "../../ui";
import { pathOf, touchedBy } from "./paths";

type Head = Schemas["Head"];

/** What names stand for, and which share of the keys gets a canary. */
export function AliasesPanel({ head }: { head: Head }) {
  const confirm = useConfirm();
  const can = useCan("edit");
  const [name, setName] = useState("");
  const [version, setVersion] = useState<number>(head.active.version ?? 0);
  const [canary, setCanary] = useState<number>(0);
  const [percent, setPercent] = useState<number>(0);
  const path = pathOf(head.kind, head.name);
  const set = useAct(({ alias, body }: { alias: string; body: Schemas["SetAlias"] }) => api.put(`${path}/aliases/${piece(alias)}`, body), { done: (_out, { alias }) => `Alias ${alias} is changed.`, touches: touchedBy(head.kind, head.name) });
  const change = async (title: string, action: string, alias: string, given: Omit<Schemas["SetAlias"], "reason">, danger = false) => {
    const { ok, reason } = await confirm({ title, action, reason: true, danger });
    if (ok) await set.run({ alias, body: { ...given, reason } });
  };
  const rows: [string, Schemas["Alias"]][] = [["active", head.active], ...Object.entries(head.aliases ?? {})];
  const alias = name.trim() || "active";
  const wanted = alias === "active" ? (head.active.version ?? 0) : version;
  const wrong = alias === "active" && !canary && !percent ? "Name an alias, or give a canary." : wanted < 1 ? "There is no version for it to stand for." : Boolean(canary) !== Boolean(percent) ? "A canary needs a version and a share." : "";
  return (
    <Stack maw={820}>
      <Table aria-label="aliases">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Alias</Table.Th>
            <Table.Th>Stands for</Table.Th>
            <Table.Th>Canary</Table.Th>
            <Table.Th ta="right">Do</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map(([of, to]) => (
            <Table.Tr key={of}>
              <Table.Td style={{ overflowWrap: "break-word" }}>{of}</Table.Td>
              <Table.Td>{to.version ? `version ${to.version}` : "nothing"}</Table.Td>
              <Table.Td>{to.canary ? `version ${to.canary} for ${to.canary_percent} % of the keys` : "–"}</Table.Td>
              <Table.Td ta="right">
                {(of !== "active" || Boolean(to.canary)) && (
                  <Tooltip label={whyNot(can, "edit")} disabled={can}>
                    <Button size="compact-xs" variant="default" disabled={!can || set.busy} onClick={() => void change(of === "active" ? "End the canary" : `Take away the alias ${of}`, of === "active" ? "End it" : "Take away", of, { version: of === "active" ? (to.version ?? 0) : 0, canary_version: 0, canary_percent: 0 }, true)}>
                      {of === "active" ? "End the canary" : "Take away"}
                    </Button>
                  </Tooltip>
                )}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      <form
        aria-label="set an alias"
        onSubmit={(event) => {
          event.preventDefault();
          if (!wrong) void change(`Set the alias ${alias}`, "Set", alias, { version: wanted, canary_version: canary, canary_percent: percent });
        }}
      >
        <Title order={2} size="h5">
          Set an alias
        </Title>
        <Text size="sm" c="dimmed" mb="xs">
          A name stands for a version; a canary gets its share of the keys, and the same key always gets the same. Under “active” only the canary is set here: another version becomes active by promoting or rolling back.
        </Text>
        <Group align="flex-start" gap="xs">
          <TextInput label="Alias" placeholder="active" w={160} value={name} onChange={(event) => setName(event.currentTarget.value)} />
          <NumberInput label="Version" w={110} min={1} max={head.latest} allowDecimal={false} value={wanted || ""} disabled={alias === "active"} onChange={(value) => setVersion(Number(value) || 0)} />
          <NumberInput label="Canary version" w={130} min={0} max={head.latest} allowDecimal={false} value={canary || ""} onChange={(value) => setCanary(Number(value) || 0)} />
          <NumberInput label="Share of keys, %" w={140} min={0} max={100} allowDecimal={false} value={percent || ""} onChange={(value) => setPercent(Number(value) || 0)} />
          <Tooltip label={whyNot(can, "edit")} disabled={can}>
            <Button type="submit" mt={25} disabled={!can || Boolean(wrong)} loading={set.busy}>
              Set
            </Button>
          </Tooltip>
        </Group>
        {wrong && (
          <Text size="xs" c="dimmed" mt={4}>
            {wrong}
          </Text>
        )}
      </form>
    </Stack>
  );
}
