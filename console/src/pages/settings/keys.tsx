import { Badge, Button, Group, Stack, Text, Tooltip } from "@mantine/core";
import { useState } from "react";
import { api, piece, type Schemas, useAct, useCan, usePages } from "../../api";
import { Ago, DataTable, Empty, Loading, ProblemNote, useConfirm, When } from "../../ui";
import { NewKey } from "./new-key";

type Key = Schemas["KeyInfo"];

const PATH = "/api/v1/keys";

/** The tenant's API keys: make, list, end. A secret is shown once, when it is made. */
export function Keys() {
  const isAdmin = useCan("admin");
  const [isMaking, setMaking] = useState(false);
  const confirm = useConfirm();
  const { items, more, hasMore, isLoading, problem, refetch } = usePages<Key>(PATH, {}, { enabled: isAdmin });
  const revoke = useAct((key: Key) => api.del(`${PATH}/${piece(key.key_id)}`), { done: (_, key) => `The key of ${key.actor_id} no longer works.`, touches: [PATH] });
  if (!isAdmin) return <Empty title="Keys are for administrators">Whoever has the role admin makes and ends them. At a terminal: remit keys create</Empty>;
  if (problem) return <ProblemNote problem={problem} retry={refetch} />;
  if (isLoading) return <Loading />;
  const end = async (key: Key) => {
    const { ok } = await confirm({
      title: `End the key of ${key.actor_id}?`,
      body: (
        <Text size="sm">
          Whoever uses key {key.key_id} is refused from now on, and sessions opened with it end. This cannot be undone.
        </Text>
      ),
      danger: true,
      action: "End the key",
    });
    if (ok) await revoke.run(key);
  };
  return (
    <Stack gap="sm">
      <Group justify="space-between">
        <Text size="sm" c="dimmed">
          A key says who calls, for which tenant and in which roles. Only its hash is kept.
        </Text>
        <Button size="xs" onClick={() => setMaking(true)}>
          Make a key
        </Button>
      </Group>
      <DataTable<Key>
        name="keys"
        rows={items}
        rowKey={(row) => row.key_id}
        more={more}
        hasMore={hasMore}
        columns={[
          { key: "actor", title: "Whose", cell: (row) => <Short text={row.actor_id} />, csv: (row) => row.actor_id },
          { key: "roles", title: "Roles", cell: (row) => <Short text={row.roles.join(", ")} />, csv: (row) => row.roles.join(" ") },
          { key: "key", title: "Key", width: 170, cell: (row) => <Text size="sm" ff="monospace">{row.key_id}</Text>, csv: (row) => row.key_id },
          { key: "made", title: "Made", width: 130, cell: (row) => <Ago ts={row.created_ts} />, csv: (row) => row.created_ts },
          { key: "expires", title: "Ends", width: 190, cell: (row) => (row.expires_ts ? <When ts={row.expires_ts} /> : "never"), csv: (row) => row.expires_ts },
          { key: "state", title: "State", width: 100, cell: (row) => <State of={row} />, csv: (row) => stateOf(row) },
          {
            key: "end",
            title: "",
            width: 80,
            align: "right",
            cell: (row) =>
              stateOf(row) === "works" ? (
                <Button size="compact-xs" variant="subtle" color="red" disabled={revoke.busy} onClick={() => void end(row)} aria-label={`End key ${row.key_id} of ${row.actor_id}`}>
                  End
                </Button>
              ) : null,
          },
        ]}
        empty={
          <Empty title="There are no keys" action={<Button onClick={() => setMaking(true)}>Make a key</Button>}>
            Programs and people call the API with one.
          </Empty>
        }
      />
      <NewKey opened={isMaking} onClose={() => setMaking(false)} touches={[PATH]} />
    </Stack>
  );
}

function stateOf(key: Key): "works" | "ended" | "expired" {
  if (key.revoked_ts) return "ended";
  return key.expires_ts && key.expires_ts <= Date.now() ? "expired" : "works";
}

function State({ of: key }: { of: Key }) {
  const state = stateOf(key);
  return (
    <Badge variant="light" color={state === "works" ? "green" : "gray"} tt="none" radius="sm">
      {state}
    </Badge>
  );
}

/** A name that may be long: cut to its cell, whole on hover. */
function Short({ text }: { text: string }) {
  return (
    <Tooltip label={text} disabled={text.length < 28}>
      <Text size="sm" truncate maw={240}>
        {text}
      </Text>
    </Tooltip>
  );
}
