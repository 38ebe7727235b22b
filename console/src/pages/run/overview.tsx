import { ActionIcon, Box, Group, Text, Tooltip } from "@mantine/core";
import { type KeyboardEvent, memo, type PointerEvent, useRef, useState } from "react";
import { durationText, utc } from "../../ui";
import type { Axis } from "./axis";
import { laneColor } from "./colors";
import type { Timeline } from "./data";

export interface Range {
  from: number;
  to: number;
}

export const ALL: Range = { from: 0, to: 1 };

const LANE_PX = 16;
const MOST_LANES = 8;
const HISTOGRAM_PX = 26;

/** The whole run at a glance: a lane for each agent, how many steps began when, and the part that is looked at. */
export function Overview({ timeline, axis, range, onRange }: { timeline: Timeline; axis: Axis; range: Range; onRange: (range: Range) => void }) {
  const box = useRef<HTMLDivElement>(null);
  const [drag, setDrag] = useState<Range | null>(null);
  const { lanes } = timeline.overview;
  const shown = lanes.slice(0, MOST_LANES);

  const place = (event: PointerEvent) => {
    const { left, width } = box.current!.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - left) / width));
  };
  const end = () => {
    if (drag && Math.abs(drag.to - drag.from) > 0.004) onRange({ from: Math.min(drag.from, drag.to), to: Math.max(drag.from, drag.to) });
    setDrag(null);
  };
  const marked = drag ? { from: Math.min(drag.from, drag.to), to: Math.max(drag.from, drag.to) } : range;
  const isPart = marked.from > 0 || marked.to < 1;
  return (
    <Box mb="xs">
      <Group justify="space-between" gap="xs" mb={4} wrap="nowrap" align="center">
        <Group gap="sm" style={{ minWidth: 0 }}>
          {shown.map((lane) => (
            <Tooltip key={lane.agent} label={`${lane.steps.toLocaleString()} steps, ${lane.bad.toLocaleString()} went wrong, at work for ${durationText(lane.busy_ms)}`}>
              <Group gap={5} wrap="nowrap">
                <Box w={9} h={9} style={{ borderRadius: 2, flexShrink: 0 }} bg={`var(--mantine-color-${laneColor(lanes.map((l) => l.agent), lane.agent)}-filled)`} />
                <Text size="xs" truncate maw={180}>
                  {lane.agent}
                </Text>
              </Group>
            </Tooltip>
          ))}
          {lanes.length > MOST_LANES && (
            <Text size="xs" c="dimmed">
              and {lanes.length - MOST_LANES} more agents
            </Text>
          )}
        </Group>
        <Zoom range={range} onRange={onRange} />
      </Group>
      <div
        ref={box}
        className="run-overview"
        style={{ height: shown.length * LANE_PX + HISTOGRAM_PX }}
        onPointerDown={(event) => {
          if (event.button !== 0) return;
          event.currentTarget.setPointerCapture(event.pointerId);
          const at = place(event);
          setDrag({ from: at, to: at });
        }}
        onPointerMove={(event) => drag && setDrag({ from: drag.from, to: place(event) })}
        onPointerUp={end}
        onPointerCancel={() => setDrag(null)}
        onDoubleClick={() => onRange(ALL)}
        title="Drag to look at a part, double-click for all"
        aria-hidden
      >
        <Picture timeline={timeline} axis={axis} />
        {isPart && (
          <>
            <div className="run-overview-off" style={{ left: 0, width: `${marked.from * 100}%` }} />
            <div className="run-overview-off" style={{ left: `${marked.to * 100}%`, right: 0 }} />
          </>
        )}
      </div>
    </Box>
  );
}

/** What does not change while one drags. */
const Picture = memo(function Picture({ timeline, axis }: { timeline: Timeline; axis: Axis }) {
  const { lanes, groups, buckets, started_ts: start, ended_ts: end } = timeline.overview;
  const names = lanes.map((lane) => lane.agent);
  const shown = Math.min(names.length, MOST_LANES);
  const most = Math.max(1, ...buckets.map((bucket) => bucket.steps));
  const height = shown * LANE_PX + HISTOGRAM_PX;
  return (
    <svg width="100%" height={height} viewBox={`0 0 1000 ${height}`} preserveAspectRatio="none" className="run-overview-svg">
      {axis.gaps.map(({ from, to, gap }) => (
        <rect key={gap.from_ts} x={from * 1000} width={Math.max(2, (to - from) * 1000)} y={0} height={height} fill="url(#run-gap)" />
      ))}
      {groups.map((group) => {
        const lane = names.indexOf(group.lane);
        if (lane >= MOST_LANES) return null;
        const x = axis.at(group.started_ts) * 1000;
        const color = group.bad > 0 && group.bad === group.steps ? "red" : laneColor(names, group.lane);
        return <rect key={group.first} x={x} width={Math.max(1.5, axis.at(group.ended_ts) * 1000 - x)} y={lane * LANE_PX + 3} height={LANE_PX - 6} fill={`var(--mantine-color-${color}-filled)`} opacity={0.85} />;
      })}
      {buckets.map((bucket, place) => {
        const high = bucket.steps === 0 ? 0 : Math.max(2, (bucket.steps / most) * (HISTOGRAM_PX - 4));
        const wide = 1000 / buckets.length;
        const x = axis.at(bucket.ts) * 1000;
        return high === 0 ? null : (
          <g key={place}>
            <rect x={x} width={wide * 0.85} y={height - high} height={high} fill="var(--mantine-color-dimmed)" opacity={0.55} />
            {bucket.bad > 0 && <rect x={x} width={wide * 0.85} y={height - 4} height={4} fill="var(--mantine-color-red-filled)" />}
          </g>
        );
      })}
      <defs>
        <pattern id="run-gap" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
          <rect width="3" height="6" fill="var(--mantine-color-default-border)" />
        </pattern>
      </defs>
      <title>{`${utc(start)} – ${utc(end)}`}</title>
    </svg>
  );
});

/** Nearer, farther, all: for the keyboard too. */
export function Zoom({ range, onRange }: { range: Range; onRange: (range: Range) => void }) {
  const by = (factor: number) => onRange(zoomed(range, factor));
  const keys = (event: KeyboardEvent) => {
    const step = (range.to - range.from) / 4;
    if (event.key === "ArrowLeft") onRange(moved(range, -step));
    else if (event.key === "ArrowRight") onRange(moved(range, step));
  };
  return (
    <Group gap={4} wrap="nowrap" onKeyDown={keys} role="group" aria-label="Time range">
      <ActionIcon size="sm" variant="default" aria-label="Farther" onClick={() => by(2)} disabled={range.from <= 0 && range.to >= 1}>
        −
      </ActionIcon>
      <ActionIcon size="sm" variant="default" aria-label="Nearer" onClick={() => by(0.5)}>
        +
      </ActionIcon>
      <ActionIcon size="sm" variant="default" aria-label="All of the run" onClick={() => onRange(ALL)} disabled={range.from <= 0 && range.to >= 1}>
        ⤢
      </ActionIcon>
    </Group>
  );
}

export function zoomed(range: Range, factor: number): Range {
  const middle = (range.from + range.to) / 2;
  const half = Math.min(0.5, Math.max(0.00001, ((range.to - range.from) / 2) * factor));
  return moved({ from: middle - half, to: middle + half }, 0);
}

function moved(range: Range, by: number): Range {
  const width = Math.min(1, range.to - range.from);
  const from = Math.min(1 - width, Math.max(0, range.from + by));
  return { from, to: from + width };
}
