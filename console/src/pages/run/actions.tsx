import { Button, Menu, Modal, Stack, TextInput, Tooltip } from "@mantine/core";
import { useState } from "react";
import { useLocation } from "wouter";
import { api, piece, type Schemas, useAct, useCan, useGet, whyNot } from "../../api";
import { Ago, DataTable, download, Empty, Loading, ProblemNote, StatusBadge, useConfirm } from "../../ui";
import { runPath, type Summary } from "./data";

/** What one may do with a run. */
export function Actions({ summary }: { summary: Summary }) {
  const [isComparing, setComparing] = useState(false);
  const [, go] = useLocation();
  const confirm = useConfirm();
  const whyNotRun = whyNot(useCan("run"), "run");
  const whyNotEdit = whyNot(useCan("edit"), "edit");
  const touches = [runPath(summary.run_id), "/api/v1/runs"];
  const cancel = useAct((reason: string) => api.post(runPath(summary.run_id, "/cancel"), { reason }), { done: "It ends at its next step.", touches });
  const retry = useAct(() => api.post<Schemas["Submitted"]>(runPath(summary.run_id, "/retry")), { done: "A new run does again what failed.", touches });
  const golden = useAct(() => api.post<Schemas["Definition"]>(runPath(summary.run_id, "/golden")), { done: (made) => `Kept as draft ${made.version} of golden case ${made.name}.`, touches: ["/api/v1/definitions"] });
  const isOver = summary.ended_ts !== null;
  const stop = async () => {
    const { ok, reason } = await confirm({ title: "Cancel this run?", body: "It ends at its next step, and so do the runs below it. An effect that is under way is not undone.", reason: true, danger: true, action: "Cancel the run" });
    if (ok) await cancel.run(reason);
  };
  return (
    <>
      {!isOver && <Act label="Cancel" why={whyNotRun} busy={cancel.busy} run={() => void stop()} color="red" />}
      {summary.status === "failure" && <Act label="Retry" why={whyNotRun ?? (summary.kind === "code" ? "The code of this agent says itself what comes next: submit its task again." : undefined)} busy={retry.busy} run={() => void retry.run().then((made) => made && go(`/runs/${piece(made.run_id)}`))} />}
      <Button size="compact-sm" variant="default" onClick={() => setComparing(true)}>
        Compare …
      </Button>
      <Menu position="bottom-end">
        <Menu.Target>
          <Button size="compact-sm" variant="default" aria-label="More to do with this run" loading={golden.busy}>
            More ▾
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item disabled={Boolean(whyNotEdit) || !isOver} title={whyNotEdit ?? (isOver ? undefined : "The run has not ended.")} onClick={() => void golden.run().then((made) => made && go(`/registry/golden_case/${piece(made.name)}`))}>
            Save as golden case
          </Menu.Item>
          <Menu.Item onClick={() => download(`${summary.run_id}.json`, JSON.stringify(summary, null, 2), "application/json")}>Download the summary</Menu.Item>
          <Menu.Item component="a" href={`#/runs?agent=${encodeURIComponent(summary.agent)}`}>
            Other runs of {summary.agent}
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {isComparing && <CompareWith summary={summary} onClose={() => setComparing(false)} />}
    </>
  );
}

function Act({ label, why, busy, run, color }: { label: string; why?: string; busy: boolean; run: () => void; color?: string }) {
  return (
    <Tooltip label={why} disabled={!why}>
      <Button size="compact-sm" variant={color ? "light" : "default"} color={color} loading={busy} data-disabled={why ? true : undefined} aria-disabled={Boolean(why)} onClick={() => !why && run()}>
        {label}
      </Button>
    </Tooltip>
  );
}

type RunRow = Schemas["AgentRun"];

/** Which run to put beside this one: another of the same agent, or any by its id. */
function CompareWith({ summary, onClose }: { summary: Summary; onClose: () => void }) {
  const [id, setId] = useState("");
  const [, go] = useLocation();
  const { data, error } = useGet<Schemas["RunPage"]>("/api/v1/runs", { agent: summary.agent, limit: 30 });
  const rows = (data?.items ?? []).filter((row) => row.run_id !== summary.run_id);
  const open = (right: string) => {
    onClose();
    go(`/compare/${piece(summary.run_id)}/${piece(right)}`);
  };
  return (
    <Modal opened onClose={onClose} title="Compare with" size="lg">
      <Stack>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (id.trim()) open(id.trim());
          }}
        >
          <TextInput label="Run" description="Its id, or choose one below" placeholder="run_…" value={id} onChange={(event) => setId(event.currentTarget.value)} rightSectionWidth={86} rightSection={<Button size="compact-sm" type="submit" disabled={!id.trim()}>Compare</Button>} data-autofocus />
        </form>
        <ProblemNote problem={error} />
        {!data && !error && <Loading />}
        {data && (
          <DataTable<RunRow>
            name={`runs of ${summary.agent}`}
            rows={rows}
            rowKey={(row) => row.run_id}
            onRow={(row) => open(row.run_id)}
            height={320}
            keyless
            empty={<Empty title={`No other run of ${summary.agent}`}>Give the id of any run above.</Empty>}
            columns={[
              { key: "objective", title: "Objective", cell: (row) => <Button variant="subtle" size="compact-xs" onClick={() => open(row.run_id)}>{row.objective || row.run_id}</Button> },
              { key: "status", title: "Status", width: 110, cell: (row) => <StatusBadge status={row.status} /> },
              { key: "start", title: "Began", width: 110, cell: (row) => <Ago ts={row.start_ts} /> },
            ]}
          />
        )}
      </Stack>
    </Modal>
  );
}
