import { Alert, Button, Group, Stack, Text, Tooltip } from "@mantine/core";
import { useState } from "react";
import { api, type Schemas, useAct, useCan, whyNot } from "../../api";
import { download, Fact } from "../../ui";
import { runPath, type Summary } from "./data";
import { Events } from "./tabs";

/** The journal proved, and taken along. */
export function Audit({ run, summary }: { run: string; summary: Summary }) {
  const [found, setFound] = useState<Schemas["VerifyReport"] | null>(null);
  const canAudit = useCan("audit");
  const verify = useAct(() => api.get<Schemas["VerifyReport"]>(runPath(run, "/verify")));
  const exported = useAct(async () => download(`${run}-audit.json`, await api.text(runPath(run, "/export")), "application/json"), { done: "Check the file anywhere with `remit verify FILE`." });
  const why = whyNot(canAudit, "audit");
  return (
    <Stack>
      <Text size="sm" maw={720}>
        Every event carries the hash of the one before it. Verifying reads all {(summary.seq + 1).toLocaleString()} of them and what they point to, and says where anything was changed.
      </Text>
      <Group>
        <Button variant="default" size="sm" loading={verify.busy} onClick={() => void verify.run().then((report) => report && setFound(report))}>
          Verify the chain
        </Button>
        <Tooltip label={why ?? "A signed file that proves itself elsewhere"}>
          <Button variant="default" size="sm" loading={exported.busy} data-disabled={why ? true : undefined} aria-disabled={Boolean(why)} onClick={() => !why && void exported.run()}>
            Export
          </Button>
        </Tooltip>
      </Group>
      {found && (
        <Alert color={found.ok ? "green" : "red"} variant="light" role="status" title={found.ok ? `All ${found.events.toLocaleString()} events are as they were written` : `Damaged at event ${found.first_bad_seq}`}>
          <Stack gap={4}>
            {found.reason && <Text size="sm">{found.reason}</Text>}
            <Fact name="Head">
              <code style={{ overflowWrap: "anywhere" }}>
                {found.size}:{found.head}
              </code>
            </Fact>
            <Text size="xs" c="dimmed">
              Keep the head elsewhere: `remit runs verify {run} --head …` shows later that history was not rewritten.
            </Text>
          </Stack>
        </Alert>
      )}
      <Events run={run} />
    </Stack>
  );
}
