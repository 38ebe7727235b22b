import { Anchor, Button, Code, Text, Tooltip } from "@mantine/core";
import { piece, type Schemas, useCan, usePages, whyNot } from "../../api";
import { type Column, DataTable, Empty, Loading, PageHead, ProblemNote, useKeys, useUrlState } from "../../ui";
import { Import } from "./import";

type Summary = Schemas["WorkflowSummary"];

const COLUMNS: readonly Column<Summary>[] = [
  { key: "name", title: "Workflow", cell: (row) => <Anchor href={`#/workflows/${piece(row.name)}`}>{row.name}</Anchor>, csv: (row) => row.name },
  { key: "description", title: "What it does", cell: (row) => <Text size="sm" lineClamp={2}>{row.description || "–"}</Text>, csv: (row) => row.description },
  { key: "states", title: "States", align: "right", width: 80, cell: (row) => row.states, csv: (row) => row.states },
  { key: "version", title: "Version", align: "right", width: 90, cell: (row) => row.version, csv: (row) => row.version },
  { key: "source", title: "From", width: 90, cell: (row) => row.source, csv: (row) => row.source },
];

/** Every workflow, and the way to a new one. */
export function Catalogue() {
  const [{ import: open }, set] = useUrlState({ import: "" });
  const found = usePages<Summary>("/api/v1/workflows", { limit: 100 });
  const canEdit = useCan("edit");
  const start = () => set({ import: "1" });
  useKeys([{ key: "i", label: "Import a workflow", run: start, when: open === "" }]);
  if (open) return <Import onClose={() => set({ import: "" })} />;
  return (
    <>
      <PageHead
        title="Workflows"
        actions={
          <Tooltip label={whyNot(canEdit, "edit") ?? "Paste a document, or choose a file. Without the role to edit you can still look at one."}>
            <Button onClick={start}>Import</Button>
          </Tooltip>
        }
      />
      {found.problem ? (
        <ProblemNote problem={found.problem} retry={found.refetch} />
      ) : found.isLoading ? (
        <Loading />
      ) : (
        <DataTable
          rows={found.items}
          columns={COLUMNS}
          name="workflows"
          rowKey={(row) => row.name}
          href={(row) => `/workflows/${piece(row.name)}`}
          more={found.more}
          hasMore={found.hasMore}
          empty={
            <Empty title="There are no workflows yet" action={<Button variant="default" onClick={start}>Import one</Button>}>
              Write one in Python, register a document with <Code>remit apply FILE</Code>, or import one here: a States Language document, or a state machine from AWS.
            </Empty>
          }
        />
      )}
    </>
  );
}
