import { Button, SimpleGrid, Tooltip } from "@mantine/core";
import { useState } from "react";
import { useCan, whyNot } from "../../api";
import { Loading, PageHead, ProblemNote } from "../../ui";
import { useRunList } from "../runs/list";
import { StartRun } from "../runs/start";
import { Approvals } from "./approvals";
import { Budgets } from "./budgets";
import { Failures } from "./failures";
import { FirstUse } from "./first";
import { Quality } from "./quality";
import { Recent } from "./recent";

const TOP = { top: true };

/** What needs a person now, and what ran last. */
export default function Home() {
  const recent = useRunList(TOP, { limit: 12 });
  const [starting, setStarting] = useState<string | null>(null);
  const mayRun = useCan("run");
  const isFirst = !recent.isLoading && !recent.problem && !recent.hasMore && recent.rows.length === 0;
  return (
    <>
      <PageHead
        title="Home"
        actions={
          <Tooltip label={whyNot(mayRun, "run")} disabled={mayRun}>
            <Button size="xs" onClick={() => mayRun && setStarting("")} data-disabled={mayRun ? undefined : true} aria-disabled={!mayRun}>
              Start a run
            </Button>
          </Tooltip>
        }
      />
      <ProblemNote problem={recent.problem} retry={recent.refetch} />
      {recent.isLoading && <Loading label="Loading runs" />}
      {isFirst && <FirstUse start={setStarting} />}
      {recent.rows.length > 0 && (
        <>
          <SimpleGrid cols={{ base: 1, md: 2 }} spacing="sm" mb="md">
            <Approvals />
            <Failures />
            <Quality />
            <Budgets />
          </SimpleGrid>
          <Recent runs={recent.rows.slice(0, 12)} />
        </>
      )}
      <StartRun opened={starting !== null} onClose={() => setStarting(null)} agent={starting ?? ""} />
    </>
  );
}
