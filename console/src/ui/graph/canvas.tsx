import "@xyflow/react/dist/base.css";
import "./graph.css";
import { useComputedColorScheme } from "@mantine/core";
import { BaseEdge, Controls, type Edge, EdgeLabelRenderer, type EdgeProps, Handle, MarkerType, MiniMap, type Node, type NodeProps, Position, ReactFlow, ReactFlowProvider, useReactFlow } from "@xyflow/react";
import { createContext, type KeyboardEvent, memo, useContext, useEffect, useMemo, useRef, useState } from "react";
import { statusColor } from "../badges";
import { layOut, type Placed, shortLabel } from "./layout";
import { FRAME, type GraphProps, type NodeState } from "./model";
import { phaseText } from "./phase";

/** Above this many boxes, only what is in view is drawn, and what is inside others is folded at first. */
const MANY = 120;

interface Picked {
  selected?: string;
  /** The one box that Tab comes to; arrows lead on from it. */
  tabbed: string;
  select: (id: string) => void;
  toggle: (id: string) => void;
}

const PickedContext = createContext<Picked>({ tabbed: "", select: () => undefined, toggle: () => undefined });

type StateNode = Node<{ placed: Placed; state?: NodeState }, "state">;
type FrameNode = Node<{ label: string }, "frame">;
type WayEdge = Edge<{ path: string; label: string; whole: string; x: number; y: number }, "way">;

/** The picture itself; apart, since its libraries are heavy. */
export default function Canvas(props: GraphProps) {
  return (
    <ReactFlowProvider>
      <Flow {...props} />
    </ReactFlowProvider>
  );
}

function Flow({ nodes, edges, states = {}, selected, onSelect, label = "Graph", height = 560 }: GraphProps) {
  const isMany = nodes.length > MANY;
  const [folded, setFolded] = useState<ReadonlySet<string>>(() => new Set(isMany ? nodes.filter((node) => node.type !== FRAME).map((node) => node.id) : []));
  const layout = useMemo(() => layOut(nodes, edges, folded), [nodes, edges, folded]);
  const scheme = useComputedColorScheme("light");
  const flow = useReactFlow();
  const box = useRef<HTMLDivElement>(null);

  const shown = useMemo(() => layout.placed.map((placed) => nodeOf(placed, states[placed.node.id])), [layout, states]);
  const ways = useMemo(() => layout.ways.map((way, index): WayEdge => {
    const color = way.edge.kind === "catch" ? "var(--mantine-color-orange-filled)" : "var(--mantine-color-dimmed)";
    return {
      id: `${index}`,
      source: way.edge.source,
      target: way.edge.target,
      type: "way",
      zIndex: 2,
      focusable: false,
      selectable: false,
      markerEnd: { type: MarkerType.ArrowClosed, width: 14, height: 14, color },
      style: { stroke: color, strokeDasharray: way.edge.kind === "catch" ? "5 4" : undefined },
      data: { path: pathOf(way.points), label: shortLabel(way.edge.label ?? ""), whole: way.edge.label ?? "", x: way.at?.x ?? 0, y: way.at?.y ?? 0 },
    };
  }), [layout]);

  const boxes = useMemo(() => layout.placed.filter((placed) => placed.node.type !== FRAME).map((placed) => placed.node.id), [layout]);
  const tabbed = selected && boxes.includes(selected) ? selected : (boxes[0] ?? "");
  const picked = useMemo<Picked>(
    () => ({
      selected,
      tabbed,
      select: (id) => onSelect?.(id),
      toggle: (id) =>
        setFolded((before) => {
          const next = new Set(before);
          if (!next.delete(id)) next.add(id);
          return next;
        }),
    }),
    [selected, tabbed, onSelect],
  );

  const walk = (event: KeyboardEvent) => {
    const from = (event.target as HTMLElement).closest("[data-box]")?.getAttribute("data-box");
    if (!from) return;
    const to = neighbour(event.key, from, boxes, layout.ways.map((way) => way.edge));
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    onSelect?.(to);
    void flow.fitView({ nodes: [{ id: to }], maxZoom: Math.max(flow.getZoom(), 0.6), minZoom: 0.4, duration: 0 }).then(() => {
      requestAnimationFrame(() => box.current?.querySelector<HTMLElement>(`[data-box="${CSS.escape(to)}"]`)?.focus());
    });
  };

  // A picture that was laid out anew is looked at as a whole; a large one where something happens, else where it starts.
  const from = useMemo(() => (isMany ? beginning(boxes, states) : undefined), [isMany, boxes]);
  useEffect(() => void flow.fitView({ nodes: from, maxZoom: isMany ? 0.9 : 1, padding: 0.08 }), [flow, layout, from, isMany]);

  return (
    <PickedContext.Provider value={picked}>
      <div ref={box} className="remit-graph" role="group" aria-label={label} style={{ height }} onKeyDown={walk}>
        <ReactFlow<StateNode | FrameNode, WayEdge>
          nodes={shown}
          edges={ways}
          nodeTypes={NODE_TYPES}
          edgeTypes={EDGE_TYPES}
          colorMode={scheme}
          fitView
          fitViewOptions={{ nodes: from, maxZoom: isMany ? 0.9 : 1, padding: 0.08 }}
          minZoom={0.05}
          maxZoom={1.6}
          nodesDraggable={false}
          nodesConnectable={false}
          nodesFocusable={false}
          edgesFocusable={false}
          elementsSelectable={false}
          deleteKeyCode={null}
          disableKeyboardA11y
          onlyRenderVisibleElements={isMany}
          preventScrolling={false}
          zoomOnScroll={false}
          proOptions={{ hideAttribution: true }}
        >
          <Controls showInteractive={false} />
          {isMany && <MiniMap pannable zoomable aria-label="Overview" nodeColor={(node) => colorOf(states[node.id])} />}
        </ReactFlow>
      </div>
    </PickedContext.Provider>
  );
}

/** The boxes to look at first in a picture that is too large to be seen at once. */
function beginning(boxes: readonly string[], states: Readonly<Record<string, NodeState>>): { id: string }[] {
  const at = boxes.findIndex((id) => states[id]?.phase === "failed" || states[id]?.phase === "running" || states[id]?.phase === "waiting");
  const first = Math.max(0, at - 2);
  return boxes.slice(first, first + 6).map((id) => ({ id }));
}

function nodeOf(placed: Placed, state: NodeState | undefined): StateNode | FrameNode {
  const { node, x, y, width, height } = placed;
  const common = { id: node.id, position: { x, y }, parentId: node.parent, width, height, draggable: false, selectable: false };
  if (node.type === FRAME) return { ...common, type: "frame", data: { label: node.label } };
  return { ...common, type: "state", data: { placed, state } };
}

/** The box that an arrow leads to: along the ways by up and down, in order by left and right. */
function neighbour(key: string, from: string, boxes: readonly string[], edges: readonly { source: string; target: string }[]): string | undefined {
  const at = boxes.indexOf(from);
  if (key === "ArrowRight") return boxes[at + 1];
  if (key === "ArrowLeft") return boxes[at - 1];
  if (key === "ArrowDown") return edges.find((edge) => edge.source === from)?.target ?? boxes[at + 1];
  if (key === "ArrowUp") return edges.find((edge) => edge.target === from)?.source ?? boxes[at - 1];
  return undefined;
}

function colorOf(state: NodeState | undefined): string {
  return state ? `var(--mantine-color-${statusColor(state.phase)}-filled)` : "var(--mantine-color-gray-5)";
}

const State = memo(function State({ data }: NodeProps<StateNode>) {
  const { node, isFolder, isOpen } = data.placed;
  const { selected, tabbed, select, toggle } = useContext(PickedContext);
  const said = data.state ? phaseText(data.state) : node.detail || node.type;
  return (
    <div className="remit-node" data-selected={selected === node.id || undefined} data-open={isOpen || undefined} data-end={node.isEnd || undefined} style={{ borderLeftColor: data.state && colorOf(data.state), background: data.state && !isOpen ? `color-mix(in srgb, ${colorOf(data.state)} 9%, var(--mantine-color-body))` : undefined }}>
      <Handle type="target" position={Position.Top} isConnectable={false} />
      <button type="button" data-box={node.id} tabIndex={tabbed === node.id ? 0 : -1} aria-pressed={selected === node.id} className="nopan" title={[node.label, node.type, node.detail].filter(Boolean).join(" · ")} onClick={() => select(node.id)}>
        <span className="name">
          {node.isStart && <span title="It starts here">▶ </span>}
          {node.label}
        </span>
        <span className="said">{said}</span>
      </button>
      {isFolder && (
        <button type="button" className="fold nopan" tabIndex={-1} aria-expanded={isOpen} aria-label={`${isOpen ? "Fold" : "Unfold"} ${node.label}`} onClick={() => toggle(node.id)}>
          {isOpen ? "−" : "+"}
        </button>
      )}
      <Handle type="source" position={Position.Bottom} isConnectable={false} />
    </div>
  );
});

const Frame = memo(function Frame({ data }: NodeProps<FrameNode>) {
  return (
    <div className="remit-frame">
      <span>{data.label}</span>
    </div>
  );
});

function WayLine({ data, markerEnd, style }: EdgeProps<WayEdge>) {
  if (!data) return null;
  return (
    <>
      <BaseEdge path={data.path} markerEnd={markerEnd} style={style} />
      {data.label && (
        <EdgeLabelRenderer>
          <div className="remit-way" title={data.whole} style={{ transform: `translate(-50%, -50%) translate(${data.x}px, ${data.y}px)` }}>
            {data.label}
          </div>
        </EdgeLabelRenderer>
      )}
    </>
  );
}

/** A smooth line through points: each is a corner that is cut. */
function pathOf(points: readonly { x: number; y: number }[]): string {
  const [first, ...rest] = points;
  if (!first) return "";
  let path = `M${first.x},${first.y}`;
  rest.forEach((point, index) => {
    const next = rest[index + 1];
    path += next ? ` Q${point.x},${point.y} ${(point.x + next.x) / 2},${(point.y + next.y) / 2}` : ` L${point.x},${point.y}`;
  });
  return path;
}

const NODE_TYPES = { state: State, frame: Frame };
const EDGE_TYPES = { way: WayLine };
