import { Button, Modal, Tooltip } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useLocation } from "wouter";
import { type Schemas, useCan, usePages, whyNot } from "../../api";
import { PageHead, UrlTabs } from "../../ui";
import { Notifiers } from "./notifiers";
import { PROPOSALS, tableRoute } from "./paths";
import { Proposals } from "./proposals";
import { Rules } from "./rules";
import { RunDrawer, RunLog } from "./runs";
import { Schedules } from "./schedules";
import { OwnerScores, TableScores } from "./scores";
import { TableForm } from "./tableform";

/** Everything about the quality of the tenant's data. */
export function OverviewPage() {
  const waiting = usePages<Schemas["Proposal"]>(PROPOSALS, { table_id: "", limit: 50 });
  return (
    <>
      <PageHead title="Data quality" actions={<Register />} />
      <UrlTabs
        tabs={[
          { value: "tables", label: "Tables", panel: <TableScores /> },
          { value: "owners", label: "Owners", panel: <OwnerScores /> },
          { value: "rules", label: "Rules", panel: <Rules /> },
          { value: "proposals", label: "Proposals", count: waiting.items.length, panel: <Proposals /> },
          { value: "runs", label: "Run log", panel: <RunLog /> },
          { value: "schedules", label: "Schedules", panel: <Schedules prefix="validation/" /> },
          { value: "notifiers", label: "Who is told", panel: <Notifiers /> },
        ]}
      />
      <RunDrawer />
    </>
  );
}

function Register() {
  const can = useCan("edit");
  const [, go] = useLocation();
  const [isOpen, dialog] = useDisclosure();
  return (
    <>
      <Tooltip label={whyNot(can, "edit")} disabled={can}>
        <Button size="xs" disabled={!can} onClick={dialog.open}>
          Register a table
        </Button>
      </Tooltip>
      <Modal opened={isOpen} onClose={dialog.close} title="Register a table" size="lg">
        <TableForm onSaved={(made) => go(tableRoute(made.table_id))} />
      </Modal>
    </>
  );
}
