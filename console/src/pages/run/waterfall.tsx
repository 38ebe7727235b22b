import { Box, Group, Loader, Text, Tooltip, UnstyledButton, VisuallyHidden } from "@mantine/core";
import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, type ReactNode, useEffect, useRef } from "react";
import { durationText, moneyText, utc } from "../../ui";
import type { Axis } from "./axis";
import { barColor, isBad, isOpen, kindMark, laneColor } from "./colors";
import type { Group as StepGroup, Row, Rows } from "./data";
import type { Range } from "./overview";
import type { Line, Plan } from "./plan";

const LINE_PX = 27;

export interface Selected {
  run: string;
  step: string;
}

interface Props {
  run: string;
  plan: Plan;
  rows: Rows;
  axis: Axis;
  range: Range;
  lanes: readonly string[];
  /** Until when what has not ended lasts. */
  now: number;
  selected: Selected | null;
  onSelect: (run: string, row: Row, index: number | null) => void;
  onFold: (group: StepGroup) => void;
  onUnfold: (index: number, row: Row) => void;
  unfolded: ReadonlySet<number>;
  /** The line to bring into view; another `token` brings it again. */
  reveal: { index: number; token: number } | null;
  /** At most so high, as CSS. */
  height: string;
  /** In a replay: the event up to which the run is shown. */
  upto?: number | null;
}

/** The steps of a run as bars in time. Only the lines in view exist. */
export function Waterfall(props: Props) {
  const { plan, rows, reveal } = props;
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({ count: plan.count, getScrollElement: () => box.current, estimateSize: () => LINE_PX, overscan: 15 });
  const items = virtual.getVirtualItems();
  const wanted = items.flatMap((item) => {
    const line = plan.line(item.index);
    return line?.kind === "row" ? [line.index] : [];
  });
  const shown = wanted.join();
  const { show } = rows;
  useEffect(() => show(shown ? shown.split(",").map(Number) : []), [shown, show]);
  const token = reveal?.token;
  useEffect(() => {
    if (reveal && plan.count > 0) virtual.scrollToIndex(plan.of(reveal.index), { align: "center" });
    // Only when asked anew: a run that grows must not scroll away from what is read.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [token]);
  return (
    <div className="run-lines-frame">
      <div ref={box} className="run-lines" style={{ height: `max(${LINE_PX * 4}px, min(${props.height}, ${(plan.count + 1) * LINE_PX + 2}px))` }} tabIndex={0} role="region" aria-label="Steps in time">
        <Ruler axis={props.axis} range={props.range} />
        <div style={{ height: virtual.getTotalSize(), position: "relative" }} role="list" aria-label={`${plan.count.toLocaleString()} lines`}>
          {items.map((item) => {
            const line = plan.line(item.index);
            return (
              <div key={item.index} className="run-line-place" style={{ transform: `translateY(${item.start}px)`, height: LINE_PX }} role="listitem">
                {line && <LineOf line={line} {...props} />}
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}

function LineOf({ line, ...props }: Props & { line: Line }) {
  if (line.kind === "group") return <GroupLine {...props} group={line.group} isShut={line.isShut} />;
  if (line.kind === "note") {
    return (
      <a className="run-line" href={`#/runs/${encodeURIComponent(line.run)}`} style={{ paddingLeft: 10 + line.depth * 14 }}>
        <Text size="xs" c="dimmed">
          {line.text}
        </Text>
      </a>
    );
  }
  const isChild = line.kind === "child";
  const known = isChild ? line.row : props.rows.row(line.index);
  const row = known && asOf(known, isChild ? null : (props.upto ?? null));
  if (!row) return <div className="run-line run-line-waits" aria-hidden />;
  const index = isChild ? null : line.index;
  const run = isChild ? line.run : props.run;
  const isSelected = props.selected?.run === run && props.selected.step === row.step;
  return (
    <StepLine
      row={row}
      run={run}
      depth={line.depth}
      isSelected={isSelected}
      axis={props.axis}
      range={props.range}
      lanes={props.lanes}
      now={props.now}
      isUnfolded={index !== null && props.unfolded.has(index)}
      index={index}
      onSelect={props.onSelect}
      onUnfold={props.onUnfold}
    />
  );
}

/** Times are kept in whole milliseconds. */
function took(ms: number): string {
  return ms < 1 ? "< 1 ms" : durationText(ms);
}

const HELD = new WeakMap<Row, Row>();

/** A row as it was when the run had come to an event. */
function asOf(row: Row, upto: number | null): Row {
  if (upto === null || row.end_seq === null || row.end_seq <= upto) return row;
  let held = HELD.get(row);
  if (!held) {
    held = { ...row, end_seq: null, ended_ts: null, state: "intended", problem: "" };
    HELD.set(row, held);
  }
  return held;
}

interface StepProps extends Pick<Props, "axis" | "range" | "lanes" | "now" | "onSelect" | "onUnfold"> {
  row: Row;
  run: string;
  index: number | null;
  depth: number;
  isSelected: boolean;
  isUnfolded: boolean;
}

const StepLine = memo(function StepLine({ row, run, index, depth, isSelected, isUnfolded, axis, range, lanes, now, onSelect, onUnfold }: StepProps) {
  const end = row.ended_ts ?? now;
  const canUnfold = row.child_run !== "" && index !== null;
  return (
    <div className="run-line" data-selected={isSelected || undefined} data-importance={row.importance}>
      <span className="run-line-name" style={{ paddingLeft: 6 + (depth + (row.parent ? 1 : 0)) * 14 }}>
        {canUnfold ? (
          <UnstyledButton className="run-fold" aria-label={`${isUnfolded ? "Fold" : "Unfold"} what ${row.lane} did`} aria-expanded={isUnfolded} onClick={() => onUnfold(index, row)}>
            {isUnfolded ? "▾" : "▸"}
          </UnstyledButton>
        ) : null}
        <UnstyledButton className="run-line-button" onClick={() => onSelect(run, row, index)} aria-current={isSelected || undefined}>
          <span aria-hidden style={{ color: `var(--mantine-color-${laneColor(lanes, row.lane)}-text)` }}>
            {kindMark(row.kind)}
          </span>
          <span className="run-line-text">{row.name}</span> <span className="run-line-step">{row.step}</span> <VisuallyHidden>{row.kind}</VisuallyHidden>{" "}
          {isBad(row) || isOpen(row) || row.state === "caught" ? (
            <span className="run-line-state" data-color={isBad(row) ? "red" : "yellow"}>
              {row.state.replaceAll("_", " ")}
            </span>
          ) : (
            <VisuallyHidden>{row.state}</VisuallyHidden>
          )}
        </UnstyledButton>
      </span>
      <span className="run-line-time" onClick={() => onSelect(run, row, index)}>
        <Bar row={row} end={end} axis={axis} range={range} color={barColor(row, lanes)} />
      </span>
      <span className="run-line-number">{row.ended_ts === null ? "…" : took(row.ended_ts - row.started_ts)}</span>
      <span className="run-line-number">{Number(row.cost_usd) > 0 ? moneyText(row.cost_usd) : ""}</span>
    </div>
  );
});

function Bar({ row, end, axis, range, color }: { row: Row; end: number; axis: Axis; range: Range; color: string }) {
  const begun = row.begun_ts ?? end;
  const says = `${row.name}: ${row.state.replaceAll("_", " ")}, ${durationText(end - row.started_ts)}${begun > row.started_ts ? `, of which ${durationText(begun - row.started_ts)} waiting to begin` : ""}`;
  return (
    <>
      {begun > row.started_ts && <Piece from={row.started_ts} to={begun} axis={axis} range={range} className="run-bar run-bar-waits" color={row.state === "done" ? "gray" : "yellow"} says={says} />}
      {row.begun_ts !== null && <Piece from={begun} to={end} axis={axis} range={range} className="run-bar" color={color} says={says} isLive={row.end_seq === null} />}
      {row.begun_ts === null && begun <= row.started_ts && <Piece from={row.started_ts} to={end} axis={axis} range={range} className="run-bar" color={color} says={says} />}
    </>
  );
}

function Piece({ from, to, axis, range, className, color, says, isLive = false }: { from: number; to: number; axis: Axis; range: Range; className: string; color: string; says: string; isLive?: boolean }) {
  const width = range.to - range.from;
  const left = (axis.at(from) - range.from) / width;
  const right = (axis.at(to) - range.from) / width;
  if (right < 0 || left > 1) return null;
  const shownLeft = Math.max(0, left);
  const shownRight = Math.min(1, right);
  return <span className={className} data-live={isLive || undefined} title={says} style={{ left: `${shownLeft * 100}%`, width: `max(2px, ${(shownRight - shownLeft) * 100}%)`, background: `var(--mantine-color-${color}-filled)` }} />;
}

function GroupLine({ group, isShut, axis, range, lanes, onFold }: Props & { group: StepGroup; isShut: boolean }) {
  const names = group.names.map((one) => `${one.name} ×${one.steps.toLocaleString()}`).join(", ");
  const color = laneColor(lanes, group.lane);
  return (
    <UnstyledButton className="run-line run-line-group" onClick={() => onFold(group)} aria-expanded={!isShut}>
      <span className="run-line-name" style={{ paddingLeft: 6 }}>
        <span aria-hidden className="run-fold">
          {isShut ? "▸" : "▾"}
        </span>
        <span className="run-line-text">
          <b>{group.steps.toLocaleString()} steps</b> {names}
        </span>
        {group.bad > 0 && (
          <span className="run-line-state" data-color="red">
            {group.bad.toLocaleString()} went wrong
          </span>
        )}
      </span>
      <span className="run-line-time">
        <Piece from={group.started_ts} to={group.ended_ts} axis={axis} range={range} className="run-bar run-bar-group" color={color} says={names} />
      </span>
      <span className="run-line-number">{durationText(group.ended_ts - group.started_ts)}</span>
      <span className="run-line-number">{Number(group.cost_usd) > 0 ? moneyText(group.cost_usd) : ""}</span>
    </UnstyledButton>
  );
}

const TICKS = 4;

/** How long after the beginning, short enough to stand above the bars. */
function sinceText(ms: number): string {
  if (ms < 60_000) return `+${durationText(ms)}`;
  const seconds = Math.floor(ms / 1000);
  const parts = [Math.floor(seconds / 60) % 60, seconds % 60].map((part) => String(part).padStart(2, "0"));
  return `+${Math.floor(seconds / 3600)}:${parts.join(":")}`;
}

/** The time above the bars, from the beginning of the run on, with the gaps named. */
function Ruler({ axis, range }: { axis: Axis; range: Range }) {
  const width = range.to - range.from;
  const start = axis.ts(0);
  const ticks: ReactNode[] = [];
  for (let i = 0; i < TICKS; i += 1) {
    const ts = axis.ts(range.from + (width * i) / TICKS);
    ticks.push(
      <span key={i} className="run-tick" style={{ left: `${(i / TICKS) * 100}%` }} title={utc(ts)}>
        {ts > start ? sinceText(Math.round(ts - start)) : "0"}
      </span>,
    );
  }
  return (
    <div className="run-line run-ruler" aria-hidden>
      <span className="run-line-name">Step</span>
      <span className="run-line-time">
        {ticks}
        {axis.gaps.map(({ from, to, gap }) => {
          const left = (from - range.from) / width;
          const right = (to - range.from) / width;
          if (right < 0 || left > 1) return null;
          return (
            <Tooltip key={gap.from_ts} label={`Nothing was at work for ${durationText(gap.to_ts - gap.from_ts)} (${gap.why})`}>
              <span className="run-gap" style={{ left: `${Math.max(0, left) * 100}%`, width: `max(10px, ${(Math.min(1, right) - Math.max(0, left)) * 100}%)` }}>
                ⋯
              </span>
            </Tooltip>
          );
        })}
      </span>
      <span className="run-line-number">Took</span>
      <span className="run-line-number">Cost</span>
    </div>
  );
}

/** A run that has no steps yet. */
export function NoSteps({ isOver }: { isOver: boolean }) {
  return (
    <Box p="xl">
      <Group justify="center" gap="sm">
        {!isOver && <Loader size="xs" role="status" aria-label="The run goes on" />}
        <Text c="dimmed">{isOver ? "This run ended without a step: its problem says why." : "No step yet. They appear here as they begin."}</Text>
      </Group>
    </Box>
  );
}
