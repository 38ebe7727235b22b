import type { Schemas } from "../../api/types";

/** A box of a graph. `parent` is the frame that it stands in; a frame (`type` "Frame") stands in the box whose inside it is. */
export interface GraphNode {
  id: string;
  label: string;
  type: string;
  detail?: string;
  parent?: string;
  isStart?: boolean;
  isEnd?: boolean;
}

/** A way from one box to another of the same frame. */
export interface GraphEdge {
  source: string;
  target: string;
  label?: string;
  kind?: "next" | "choice" | "default" | "catch";
}

/** How far a box has come; `phase` is waiting, running, succeeded, failed, caught or aborted. */
export type NodeState = Schemas["Status"];

export interface GraphProps {
  nodes: readonly GraphNode[];
  edges: readonly GraphEdge[];
  /** By the id of a node. */
  states?: Readonly<Record<string, NodeState>>;
  selected?: string;
  onSelect?: (id: string) => void;
  /** What it is a picture of. */
  label?: string;
  height?: number | string;
}

export const FRAME = "Frame";

/** A workflow's graph as the API tells it (`Picture.graph`), flat. Ids are JSON pointers, as those of `Picture.statuses`. */
export function graphOf(graph: Schemas["Graph"]): { nodes: GraphNode[]; edges: GraphEdge[] } {
  const nodes: GraphNode[] = [];
  const edges: GraphEdge[] = [];
  const add = (group: Schemas["Group"], parent?: string) => {
    const ids = new Map(group.nodes.map((node) => [node.name, node.pointer]));
    for (const node of group.nodes) {
      nodes.push({ id: node.pointer, label: node.name, type: node.type, detail: node.detail, parent, isStart: node.name === group.start, isEnd: node.ends });
      for (const inner of node.groups ?? []) {
        nodes.push({ id: inner.pointer, label: inner.label, type: FRAME, parent: node.pointer });
        add(inner, inner.pointer);
      }
    }
    for (const edge of group.edges) {
      const source = ids.get(edge.source);
      const target = ids.get(edge.target);
      if (source !== undefined && target !== undefined) edges.push({ source, target, label: edge.label, kind: edge.kind });
    }
  };
  add(graph.root);
  return { nodes, edges };
}

/** What stands in each frame and box, in order; the outermost under "". */
export function childrenOf(nodes: readonly GraphNode[]): Map<string, GraphNode[]> {
  const found = new Map<string, GraphNode[]>();
  for (const node of nodes) {
    const there = found.get(node.parent ?? "");
    if (there) there.push(node);
    else found.set(node.parent ?? "", [node]);
  }
  return found;
}
