import dagre from "@dagrejs/dagre";
import { childrenOf, FRAME, type GraphEdge, type GraphNode } from "./model";

export interface Placed {
  node: GraphNode;
  /** Within its parent. */
  x: number;
  y: number;
  width: number;
  height: number;
  /** Whether frames stand in it, and whether they are shown. */
  isFolder: boolean;
  isOpen: boolean;
}

export interface Way {
  edge: GraphEdge;
  /** Where it goes along, from the picture's corner. */
  points: readonly { x: number; y: number }[];
  at?: { x: number; y: number };
}

export interface Layout {
  placed: Placed[];
  ways: Way[];
}

const WIDTH = 200;
const HEIGHT = 54;
const HEAD = 54;
const FRAME_HEAD = 24;
const PAD = 14;
const LABEL_CHARS = 26;

interface Box {
  width: number;
  height: number;
  /** Places what is inside, once it is known where the box stands. */
  place: (x: number, y: number) => void;
}

/** A label as the picture shows it. */
export function shortLabel(label: string): string {
  return label.length > LABEL_CHARS ? `${label.slice(0, LABEL_CHARS - 1)}…` : label;
}

/** Lay out a graph from the inside out: each frame by itself, then the boxes around it. `folded` boxes show nothing of their inside. */
export function layOut(nodes: readonly GraphNode[], edges: readonly GraphEdge[], folded: ReadonlySet<string>): Layout {
  const children = childrenOf(nodes);
  const parents = new Map(nodes.map((node) => [node.id, node.parent ?? ""]));
  const within = new Map<string, GraphEdge[]>();
  for (const edge of edges) {
    const parent = parents.get(edge.source) ?? "";
    const there = within.get(parent);
    if (there) there.push(edge);
    else within.set(parent, [edge]);
  }
  const made: Layout = { placed: [], ways: [] };

  const boxOf = (node: GraphNode): Box => {
    const frames = children.get(node.id) ?? [];
    const isOpen = frames.length > 0 && !folded.has(node.id);
    const put = (x: number, y: number, width: number, height: number) => made.placed.push({ node, x, y, width, height, isFolder: frames.length > 0, isOpen });
    if (!isOpen) return { width: WIDTH, height: HEIGHT, place: (x, y) => put(x - at.x, y - at.y, WIDTH, HEIGHT) };
    const inner = frames.map((frame) => ({ frame, box: frameOf(frame) }));
    const width = Math.max(WIDTH, inner.reduce((sum, one) => sum + one.box.width + PAD, PAD));
    const height = HEAD + Math.max(...inner.map((one) => one.box.height)) + PAD;
    return {
      width,
      height,
      place: (x, y) => {
        put(x - at.x, y - at.y, width, height);
        const around = at;
        let left = x + PAD;
        for (const one of inner) {
          made.placed.push({ node: one.frame, x: left - x, y: HEAD, width: one.box.width, height: one.box.height, isFolder: false, isOpen: true });
          at = { x: left, y: y + HEAD };
          one.box.place(left, y + HEAD);
          at = around;
          left += one.box.width + PAD;
        }
      },
    };
  };

  const frameOf = (frame: GraphNode | null): Box => {
    const head = frame ? FRAME_HEAD : 0;
    const pad = frame ? PAD : 0;
    const inside = (children.get(frame?.id ?? "") ?? []).filter((node) => node.type !== FRAME);
    const boxes = new Map(inside.map((node) => [node.id, boxOf(node)]));
    const graph = new dagre.graphlib.Graph({ multigraph: true });
    graph.setGraph({ rankdir: "TB", nodesep: 36, ranksep: 44, edgesep: 16 });
    for (const [id, box] of boxes) graph.setNode(id, { width: box.width, height: box.height });
    const mine = within.get(frame?.id ?? "") ?? [];
    mine.forEach((edge, index) => {
      const chars = shortLabel(edge.label ?? "").length;
      graph.setEdge(edge.source, edge.target, { width: chars * 6.2, height: chars ? 16 : 0, labelpos: "c" }, String(index));
    });
    dagre.layout(graph);
    const size = graph.graph();
    const width = (size.width ?? WIDTH) + 2 * pad;
    const height = (size.height ?? HEIGHT) + head + pad;
    return {
      width,
      height,
      place: (x, y) => {
        for (const [id, box] of boxes) {
          const found = graph.node(id);
          box.place(x + pad + found.x - box.width / 2, y + head + found.y - box.height / 2);
        }
        mine.forEach((edge, index) => {
          const found = graph.edge({ v: edge.source, w: edge.target, name: String(index) });
          const move = (point: { x: number; y: number }) => ({ x: x + pad + point.x, y: y + head + point.y });
          const labelled = found.x !== undefined && found.y !== undefined ? move({ x: found.x, y: found.y }) : undefined;
          made.ways.push({ edge, points: (found.points ?? []).map(move), at: edge.label ? labelled : undefined });
        });
      },
    };
  };

  let at = { x: 0, y: 0 };
  frameOf(null).place(0, 0);
  return made;
}
