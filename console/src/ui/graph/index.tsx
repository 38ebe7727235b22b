import { Group, SegmentedControl, Skeleton } from "@mantine/core";
import { lazy, Suspense, useMemo } from "react";
import { piece, useGet } from "../../api";
import type { Schemas } from "../../api/types";
import { Loading, ProblemNote } from "../frame";
import { useUrlState } from "../url";
import { GraphList } from "./list";
import { type GraphProps, graphOf } from "./model";

export { type GraphEdge, type GraphNode, graphOf, type GraphProps, type NodeState } from "./model";

const Canvas = lazy(() => import("./canvas"));

/** A graph as a picture, whose libraries are fetched when the first one is shown, or as a list. Which of the two is in the URL. */
export function LazyGraph(props: GraphProps) {
  const [{ as }, set] = useUrlState({ as: "picture" });
  return (
    <div>
      <Group justify="flex-end" mb={6}>
        <SegmentedControl size="xs" aria-label="Show as" value={as === "list" ? "list" : "picture"} onChange={(value) => set({ as: value })} data={[{ value: "picture", label: "Picture" }, { value: "list", label: "List" }]} />
      </Group>
      {as === "list" ? (
        <GraphList {...props} />
      ) : (
        <Suspense fallback={<Skeleton h={props.height ?? 560} />}>
          <Canvas {...props} />
        </Suspense>
      )}
    </div>
  );
}

interface WorkflowGraphProps extends Pick<GraphProps, "selected" | "onSelect" | "height"> {
  workflow: string;
  /** Show how far this run of it has come. */
  run?: string;
  /** This version of the registry. */
  version?: number;
  /** Look again so often, in milliseconds, while the run goes on. */
  every?: number;
}

/** A workflow, or how far a run of it has come. A state's id is its JSON pointer in the document. */
export function WorkflowGraph({ workflow, run, version, every, ...rest }: WorkflowGraphProps) {
  const { data, error, refetch } = useGet<Schemas["Picture"]>(`/api/v1/workflows/${piece(workflow)}/graph`, { run, version }, { refetchInterval: (query) => (every && !query.state.data?.ended ? every : false) });
  const graph = data?.graph;
  // Only a graph that differs is laid out anew: what a run looks again at is mostly its states.
  const known = useMemo(() => JSON.stringify(graph), [graph]);
  const made = useMemo(() => (known ? graphOf(JSON.parse(known) as Schemas["Graph"]) : null), [known]);
  if (error) return <ProblemNote problem={error} retry={() => void refetch()} />;
  if (!data || !made) return <Loading />;
  return <LazyGraph {...made} {...rest} states={data.statuses} label={data.graph.title || workflow} />;
}
