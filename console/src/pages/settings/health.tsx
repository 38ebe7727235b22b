import { Badge, Button, Center, Group, Loader, Stack, Text } from "@mantine/core";
import { type Schemas, useCan, useGet } from "../../api";
import { Code, DataTable, Empty, ProblemNote } from "../../ui";

type Finding = Schemas["Finding"];

const VERDICTS: Record<Finding["verdict"], [said: string, color: string]> = {
  ok: ["works", "green"],
  note: ["note", "yellow"],
  bad: ["broken", "red"],
};

/** What `remit doctor` says of the server that runs, and what mends it. */
export function Health() {
  const isAdmin = useCan("admin");
  const { data, error, isFetching, refetch } = useGet<Schemas["Findings"]>("/api/v1/doctor", {}, { enabled: isAdmin, staleTime: 60_000 });
  if (!isAdmin) return <Empty title="Health is for administrators">Whoever has the role admin sees what works here, and what mends the rest. At a terminal: remit doctor</Empty>;
  if (error) return <ProblemNote problem={error} retry={() => void refetch()} />;
  if (!data) {
    return (
      <Center mih={160} role="status">
        <Stack align="center" gap="xs" maw={480}>
          <Loader size="sm" />
          <Text fw={600}>Checking what works here</Text>
          <Text size="sm" c="dimmed" ta="center">
            The data folder, agents, policy, models, connections and the store, then the sandbox: the first time, hostile programs try to get out of it, which takes a few seconds.
          </Text>
        </Stack>
      </Center>
    );
  }
  const broken = data.items.filter((each) => each.verdict === "bad").length;
  return (
    <Stack gap="sm">
      <Group justify="space-between">
        <Text size="sm">{broken === 0 ? "Everything that is needed works." : `${broken} of ${data.items.length} checks found something broken.`}</Text>
        <Button size="xs" variant="default" loading={isFetching} onClick={() => void refetch()}>
          Check again
        </Button>
      </Group>
      <DataTable<Finding>
        name="checks"
        rows={data.items}
        rowKey={(row) => row.check}
        columns={[
          { key: "check", title: "Check", width: 200, cell: (row) => row.check, csv: (row) => row.check },
          { key: "verdict", title: "How it is", width: 110, cell: (row) => <Verdict verdict={row.verdict} />, csv: (row) => row.verdict },
          { key: "result", title: "Found", cell: (row) => <Wrapped text={row.result} />, csv: (row) => row.result },
          { key: "fix", title: "What mends it", cell: (row) => (row.fix ? <Code text={row.fix} label={`what mends ${row.check}`} /> : null), csv: (row) => row.fix },
        ]}
        empty={<Empty title="Nothing was checked" />}
      />
    </Stack>
  );
}

function Verdict({ verdict }: { verdict: Finding["verdict"] }) {
  const [said, color] = VERDICTS[verdict];
  return (
    <Badge color={color} variant="light" tt="none" radius="sm">
      {said}
    </Badge>
  );
}

function Wrapped({ text }: { text: string }) {
  return (
    <Text size="sm" style={{ overflowWrap: "anywhere", whiteSpace: "normal" }}>
      {text}
    </Text>
  );
}
