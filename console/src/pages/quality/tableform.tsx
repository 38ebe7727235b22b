import { Button, Checkbox, Group, Stack, TextInput, Tooltip } from "@mantine/core";
import { useState } from "react";
import { api, type Schemas, useAct, useCan, whyNot } from "../../api";
import { ProblemNote } from "../../ui";
import { SCHEDULES, SCORES, tablePath, TABLES } from "./paths";

type Table = Schemas["Table"];

/** Register a table, or change where it lives, whose it is and when it is checked. */
export function TableForm({ table, onSaved }: { table?: Table; onSaved: (made: Table) => void }) {
  const can = useCan("edit");
  const [id, setId] = useState(table?.table_id ?? "");
  const [location, setLocation] = useState(table?.location ?? "");
  const [owner, setOwner] = useState(table?.owner ?? "");
  const [schedule, setSchedule] = useState(table?.schedule ?? "");
  const [active, setActive] = useState(table?.active ?? true);
  const [reason, setReason] = useState("");
  const isMoved = table === undefined || location !== table.location;
  const save = useAct(
    // What a location speaks of is read from it again only when it is another one.
    () => api.put<Table>(tablePath(id.trim()), { location, owner, schedule: schedule.trim(), active, reason, ...(isMoved ? {} : { source: table.source, format: table.format }), ...(table?.partition_key ? { partition_key: table.partition_key } : {}) }),
    { done: (made) => `Table ${made.table_id} is ${table ? "changed" : "registered"}.`, touches: [TABLES, SCORES, SCHEDULES], quiet: true },
  );
  const lacking = !can ? whyNot(can, "edit") : !id.trim() ? "Name the table." : !location.trim() ? "Say where it lives." : !reason.trim() ? "Say why: the reason is kept with the change." : undefined;
  return (
    <form
      aria-label={table ? `edit ${table.table_id}` : "register a table"}
      onSubmit={(event) => {
        event.preventDefault();
        if (!lacking) void save.run().then((made) => made && onSaved(made));
      }}
    >
      <Stack maw={640}>
        {!table && <TextInput label="Table" description="Letters, digits and _ . -" required value={id} onChange={(event) => setId(event.currentTarget.value)} data-autofocus />}
        <TextInput label="Location" description="A path, s3:// or database URL; a password is written as ${secret:NAME}." required value={location} onChange={(event) => setLocation(event.currentTarget.value)} />
        <TextInput label="Owner" value={owner} onChange={(event) => setOwner(event.currentTarget.value)} />
        <TextInput label="Checked" description="daily at 06:30, hourly, every 15 minutes, or a cron expression; empty: only when somebody asks." value={schedule} onChange={(event) => setSchedule(event.currentTarget.value)} />
        <Checkbox label="Active: on the scorecard, and checked when it is due" checked={active} onChange={(event) => setActive(event.currentTarget.checked)} />
        <TextInput label="Reason" required value={reason} onChange={(event) => setReason(event.currentTarget.value)} placeholder="kept with the change" />
        <ProblemNote problem={save.problem} />
        <Group justify="flex-end">
          <Tooltip label={lacking} disabled={!lacking}>
            <Button type="submit" disabled={Boolean(lacking)} loading={save.busy}>
              {table ? "Save" : "Register"}
            </Button>
          </Tooltip>
        </Group>
      </Stack>
    </form>
  );
}
