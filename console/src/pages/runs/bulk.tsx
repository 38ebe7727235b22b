import { Alert, Anchor, Button, Group, Stack, Table, Text, Tooltip } from "@mantine/core";
import { memo } from "react";
import { api, type Schemas, useAct, useCan, whyNot } from "../../api";
import { useConfirm } from "../../ui";
import type { Run } from "./query";

type Outcome = Schemas["RunOutcome"];
type Act = "cancel" | "retry";

/** How many runs one request takes. */
const AT_ONCE = 200;

async function ask(act: Act, run_ids: readonly string[], more: Record<string, string>): Promise<Outcome[]> {
  const told: Outcome[] = [];
  for (let from = 0; from < run_ids.length; from += AT_ONCE) {
    const some = run_ids.slice(from, from + AT_ONCE);
    told.push(...(await api.post<Schemas["RunOutcomes"]>(`/api/v1/runs/${act}`, { run_ids: some, ...more })).items);
  }
  return told;
}

export interface Done {
  act: Act;
  outcomes: readonly Outcome[];
}

/** What can be done with the chosen runs. */
export const Bulk = memo(function Bulk({ runs, clear, tell }: { runs: readonly Run[]; clear: () => void; tell: (done: Done) => void }) {
  const mayRun = useCan("run");
  const confirm = useConfirm();
  const open = runs.filter((run) => run.status === "running" || run.status === "waiting");
  const failed = runs.filter((run) => run.status === "failure");
  const done = (act: Act) => (outcomes: Outcome[]) => {
    tell({ act, outcomes });
    clear();
  };
  const cancel = useAct((reason: string) => ask("cancel", open.map((run) => run.run_id), { reason }), { done: done("cancel"), touches: ["/api/v1/runs"] });
  const retry = useAct((retry_id: string) => ask("retry", failed.map((run) => run.run_id), { retry_id }), { done: done("retry"), touches: ["/api/v1/runs"] });

  const askCancel = async () => {
    const { ok, reason } = await confirm({ title: `Cancel ${count(open.length)}?`, body: <Text size="sm">They end at their next step, and so do the runs that they started. An effect that has begun is not undone.</Text>, reason: true, danger: true, action: `Cancel ${count(open.length)}` });
    if (ok) await cancel.run(reason);
  };
  const askRetry = async () => {
    const { ok } = await confirm({ title: `Do ${count(failed.length)} again?`, body: <Text size="sm">A new run for each: a workflow goes on from what failed, an agent does its task again, in your name.</Text>, action: `Retry ${count(failed.length)}` });
    if (ok) await retry.run(fresh());
  };
  if (runs.length === 0) return null;
  return (
    <Group gap="xs" role="toolbar" aria-label="What to do with the chosen runs">
      <Text size="sm">{runs.length} chosen</Text>
      <Choice label={`Cancel ${open.length}`} color="red" why={whyNot(mayRun, "run") ?? (open.length ? undefined : "None of them is still under way.")} busy={cancel.busy} onClick={() => void askCancel()} />
      <Choice label={`Retry ${failed.length}`} why={whyNot(mayRun, "run") ?? (failed.length ? undefined : "None of them has failed.")} busy={retry.busy} onClick={() => void askRetry()} />
      <Button size="compact-xs" variant="subtle" onClick={clear}>
        Choose none
      </Button>
    </Group>
  );
});

function Choice({ label, why, busy, color, onClick }: { label: string; why?: string; busy: boolean; color?: string; onClick: () => void }) {
  return (
    <Tooltip label={why} disabled={!why}>
      <Button size="compact-sm" variant="light" color={color} loading={busy} data-disabled={why ? true : undefined} aria-disabled={Boolean(why)} onClick={() => !why && onClick()}>
        {label}
      </Button>
    </Tooltip>
  );
}

/** What became of each: counted, and those that were refused one by one. */
export function Told({ act, outcomes, close }: Done & { close: () => void }) {
  const done = outcomes.filter((one) => one.outcome === "done");
  const nothing = outcomes.filter((one) => one.outcome === "nothing");
  const refused = outcomes.filter((one) => one.outcome === "refused");
  const said = [
    done.length > 0 && (act === "cancel" ? `${count(done.length)} asked to end` : `${count(done.length)} begun anew`),
    nothing.length > 0 && `${nothing.length} had ended already`,
    refused.length > 0 && `${refused.length} refused`,
  ].filter(Boolean);
  return (
    <Alert color={refused.length > 0 ? "orange" : "teal"} variant="light" mb="xs" withCloseButton closeButtonLabel="Close" onClose={close} title={`${said.join(", ")}.`} role="status">
      {refused.length > 0 && (
        <Stack gap={4} style={{ maxHeight: 200, overflowY: "auto" }} tabIndex={0}>
          <Table aria-label="Runs that were refused">
            <Table.Tbody>
              {refused.map((one) => (
                <Table.Tr key={one.run_id}>
                  <Table.Td w={130}>
                    <Anchor href={`#/runs/${encodeURIComponent(one.run_id)}`} size="sm">
                      {one.run_id.slice(4, 14)}
                    </Anchor>
                  </Table.Td>
                  <Table.Td style={{ overflowWrap: "anywhere" }}>
                    {one.problem?.code} {one.problem?.message}
                    {one.problem?.help ? ` – ${one.problem.help}` : ""}
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Stack>
      )}
    </Alert>
  );
}

function count(runs: number): string {
  return runs === 1 ? "1 run" : `${runs} runs`;
}

/** An id of this request: sent again, it makes no second run. */
export function fresh(): string {
  return [...crypto.getRandomValues(new Uint8Array(10))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
