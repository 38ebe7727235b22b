import { Badge, Group, Stack, Text } from "@mantine/core";
import { piece, type Schemas, useGet } from "../../api";
import { Loading, PageHead, ProblemNote, UrlTabs, useUrlState } from "../../ui";
import { Calls } from "./calls";
import { Document } from "./document";
import { PictureTab } from "./picture";
import { RunForm } from "./run-form";
import { RecentRuns } from "./runs";
import { Versions } from "./versions";

/** One workflow: its picture, document, versions, and the way to a run of it. */
export function Detail({ name }: { name: string }) {
  const [{ version }] = useUrlState({ version: "" });
  const { data, error, refetch } = useGet<Schemas["WorkflowView"]>(`/api/v1/workflows/${piece(name)}`, { version: version || undefined });
  const crumbs = [{ label: "Workflows", href: "/workflows" }];
  if (!data) {
    return (
      <>
        <PageHead title={name} crumbs={crumbs} />
        {error ? <ProblemNote problem={error} retry={() => void refetch()} /> : <Loading />}
      </>
    );
  }
  return (
    <>
      <PageHead
        title={
          <Group gap="xs" component="span">
            <span>{data.name}</span>
            <Badge variant="default" tt="none" radius="sm">
              {data.source === "registry" ? `version ${data.version}` : `from ${data.source}`}
            </Badge>
          </Group>
        }
        tab={data.name}
        crumbs={crumbs}
      />
      <Stack gap="sm">
        {data.description && (
          <Text size="sm" c="dimmed" style={{ overflowWrap: "anywhere" }}>
            {data.description}
          </Text>
        )}
        <UrlTabs
          tabs={[
            { value: "picture", label: "Picture", panel: <PictureTab view={data} version={version} /> },
            { value: "document", label: "Document", panel: <Document document={data.document} name={data.name} /> },
            { value: "calls", label: "What it calls", count: data.bindings?.length, panel: <Calls bindings={data.bindings ?? []} /> },
            ...(data.source === "registry" ? [{ value: "versions", label: "Versions", panel: <Versions name={data.name} /> }] : []),
            { value: "run", label: "Run it", panel: <RunForm name={data.name} /> },
            { value: "runs", label: "Runs", panel: <RecentRuns name={data.name} /> },
          ]}
        />
      </Stack>
    </>
  );
}
