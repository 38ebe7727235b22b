import { SimpleGrid, Stack, Table, Text, Title } from "@mantine/core";
import { type Schemas, useGet } from "../../api";
import { Code, Loading, ProblemNote } from "../../ui";

/** What stands behind each port, which models are named, and which extras are installed. Addresses and passwords are never shown. */
export function Adapters() {
  const { data, error, refetch } = useGet<Schemas["About"]>("/api/v1/about", {}, { staleTime: 60_000 });
  if (error) return <ProblemNote problem={error} retry={() => void refetch()} />;
  if (!data) return <Loading />;
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }} spacing="xl">
      <Stack gap="lg">
        <Pairs title="Adapters in use" of={data.adapters} names={["Port", "Adapter"]} />
        <Pairs title="Model routes" of={data.models} names={["Route", "Provider and model"]} />
      </Stack>
      <section aria-label="Extras">
        <Title order={2} size="h5" mb="xs">
          Extras
        </Title>
        <Table aria-label="extras">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Extra</Table.Th>
              <Table.Th>State</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {data.extras.map((extra) => (
              <Table.Tr key={extra.name}>
                <Table.Td>{extra.name}</Table.Td>
                <Table.Td>{extra.missing.length === 0 ? <Text size="sm">installed</Text> : <Code text={`pip install 'remit[${extra.name}]'`} label={`how to install ${extra.name}`} />}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </section>
    </SimpleGrid>
  );
}

function Pairs({ title, of: pairs, names }: { title: string; of: Record<string, string>; names: [string, string] }) {
  return (
    <section aria-label={title}>
      <Title order={2} size="h5" mb="xs">
        {title}
      </Title>
      <Table aria-label={title}>
        <Table.Thead>
          <Table.Tr>
            {names.map((name) => (
              <Table.Th key={name}>{name}</Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {Object.entries(pairs).map(([name, value]) => (
            <Table.Tr key={name}>
              <Table.Td w="40%">{name}</Table.Td>
              <Table.Td style={{ overflowWrap: "anywhere" }}>{value}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </section>
  );
}
