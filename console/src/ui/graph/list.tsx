import { Badge, Group, Text, UnstyledButton } from "@mantine/core";
import { useMemo, useState } from "react";
import { statusColor } from "../badges";
import { childrenOf, FRAME, type GraphEdge, type GraphNode, type GraphProps } from "./model";
import { phaseText } from "./phase";
import "./graph.css";

/** Boxes of one frame that are shown before a button for more. */
const FIRST = 100;

/** The same graph as nested text, for whoever cannot use a picture. */
export function GraphList({ nodes, edges, states = {}, selected, onSelect, label = "Graph" }: GraphProps) {
  const children = useMemo(() => childrenOf(nodes), [nodes]);
  const ways = useMemo(() => {
    const names = new Map(nodes.map((node) => [node.id, node.label]));
    const found = new Map<string, string[]>();
    for (const edge of edges) {
      const said = wayText(edge, names.get(edge.target) ?? edge.target);
      found.set(edge.source, [...(found.get(edge.source) ?? []), said]);
    }
    return found;
  }, [nodes, edges]);

  const item = (node: GraphNode) => {
    const state = states[node.id];
    return (
      <li key={node.id}>
        <UnstyledButton className="remit-graph-item" aria-pressed={selected === node.id} onClick={() => onSelect?.(node.id)}>
          <Group gap={6} wrap="wrap">
            <Text fw={600} size="sm">
              {node.label}
            </Text>
            <Text size="sm" c="dimmed">
              {[node.type, node.detail].filter(Boolean).join(" · ")}
            </Text>
            {state && (
              <Badge variant="light" color={statusColor(state.phase)} radius="sm" tt="none">
                {phaseText(state)}
              </Badge>
            )}
          </Group>
          <Text size="xs" c="dimmed">
            {[node.isStart ? "it starts here" : "", ...(ways.get(node.id) ?? []), node.isEnd ? "it ends here" : ""].filter(Boolean).join("; ")}
          </Text>
        </UnstyledButton>
        {(children.get(node.id) ?? []).map((frame) => (
          <div key={frame.id} className="remit-graph-inner">
            <Text size="xs" fw={600} c="dimmed">
              {frame.label}
            </Text>
            <Items nodes={children.get(frame.id) ?? []} item={item} label={`${node.label}, ${frame.label}`} />
          </div>
        ))}
      </li>
    );
  };
  return <Items nodes={(children.get("") ?? []).filter((node) => node.type !== FRAME)} item={item} label={label} />;
}

function Items({ nodes, item, label }: { nodes: readonly GraphNode[]; item: (node: GraphNode) => React.ReactNode; label: string }) {
  const [count, setCount] = useState(FIRST);
  return (
    <ol className="remit-graph-list" aria-label={label}>
      {nodes.slice(0, count).map(item)}
      {nodes.length > count && (
        <li>
          <UnstyledButton onClick={() => setCount(count * 4)}>
            <Text size="sm" td="underline">{`${nodes.length - count} more`}</Text>
          </UnstyledButton>
        </li>
      )}
    </ol>
  );
}

function wayText(edge: GraphEdge, target: string): string {
  if (edge.kind === "catch") return `on ${edge.label || "an error"} → ${target}`;
  if (edge.kind === "choice") return `if ${edge.label} → ${target}`;
  if (edge.kind === "default") return `otherwise → ${target}`;
  return `→ ${target}`;
}
