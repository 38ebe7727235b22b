import { Button, Group, SegmentedControl, Stack, Text } from "@mantine/core";
import { useQueries } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { api, type Schemas } from "../../api";
import { Loading, Markdown, ProblemNote, useKeys, useUrlState, WorkflowGraph } from "../../ui";
import { axisOf } from "./axis";
import { type Group as StepGroup, type Row, runPath, type Summary, type Timeline, useRows } from "./data";
import { Inspector, NothingChosen } from "./inspector";
import { ALL, Overview, type Range } from "./overview";
import { planOf, type Unfolded } from "./plan";
import { Replay } from "./replay";
import { NoSteps, Waterfall } from "./waterfall";

const HEIGHT = "calc(100vh - 395px)";
const CHILD_ROWS = 200;

interface Props {
  id: string;
  summary: Summary;
  timeline: Timeline;
  said: string;
}

/** The steps of a run: in time or as a graph, with one of them opened. */
export function Steps({ id, summary, timeline, said }: Props) {
  const [url, setUrl] = useUrlState({ step: "", seq: "", of: "", view: "waterfall" });
  const rows = useRows(id, timeline);
  const { overview, path } = timeline;
  const [range, setRange] = useState<Range>(ALL);
  const [opened, setOpened] = useState<ReadonlySet<number>>(new Set());
  const [unfoldedAt, setUnfoldedAt] = useState<ReadonlyMap<number, string>>(new Map());
  const [replay, setReplay] = useState<number | null>(null);
  const [wanted, setWanted] = useState<{ index: number; select: boolean } | { seq: number; unfold: string } | null>(null);
  const [reveal, setReveal] = useState<{ index: number; token: number } | null>(null);
  const [current, setCurrent] = useState<number | null>(null);

  const lanes = useMemo(() => overview.lanes.map((lane) => lane.agent), [overview.lanes]);
  const axis = useMemo(() => axisOf(overview.gaps, overview.started_ts, overview.ended_ts), [overview.gaps, overview.started_ts, overview.ended_ts]);
  const unfolded = useUnfolded(unfoldedAt, !timeline.ended);
  const plan = useMemo(() => planOf(overview.groups, opened, NONE, unfolded, replay === null ? Infinity : replay + 1), [overview.groups, opened, unfolded, replay]);

  // What is opened without being asked: the step of the link, else the failed one, else the last.
  const failed = path.at(-1);
  const chosen = url.step
    ? { run: url.of || id, step: url.step, seq: url.seq === "" ? null : Number(url.seq) }
    : failed
      ? { run: failed.run_id, step: failed.step, seq: failed.seq }
      : overview.last
        ? { run: id, step: overview.last.step, seq: overview.last.seq }
        : null;

  const open = useCallback(
    (index: number) => {
      const group = overview.groups.findLast((each) => each.first <= index);
      if (group?.shut) setOpened((before) => (before.has(group.first) ? before : new Set(before).add(group.first)));
    },
    [overview.groups],
  );

  // The first look: the place of the chosen step, with the way to a failure unfolded.
  const firstSeq = url.of ? null : url.step ? (url.seq === "" ? null : Number(url.seq)) : (path[0]?.seq ?? null);
  const isPlaced = useRef("");
  useEffect(() => {
    if (firstSeq === null || isPlaced.current === id || overview.steps === 0) return;
    isPlaced.current = id;
    setWanted({ seq: firstSeq, unfold: url.step ? "" : (path[1]?.run_id ?? "") });
  }, [firstSeq, id, overview.steps, path, url.step]);

  // What is wanted is done once its rows are there.
  useEffect(() => {
    if (!wanted) return;
    const size = overview.page;
    const page = "seq" in wanted ? overview.marks.findLastIndex((mark) => mark <= wanted.seq) : Math.floor(wanted.index / size);
    if (page < 0) return setWanted(null);
    rows.show([page * size]);
    let index = "index" in wanted ? wanted.index : page * size;
    if (!rows.row(index)) return;
    if ("seq" in wanted) {
      while (index + 1 < (page + 1) * size && (rows.row(index + 1)?.seq ?? Infinity) <= wanted.seq) index += 1;
      if (wanted.unfold) setUnfoldedAt((before) => new Map(before).set(index, wanted.unfold));
    }
    const row = rows.row(index);
    open(index);
    setCurrent(index);
    setReveal((before) => ({ index, token: (before?.token ?? 0) + 1 }));
    if (row && "select" in wanted && wanted.select) setUrl({ step: row.step, seq: `${row.seq}`, of: "" });
    setWanted(null);
  });

  const select = useCallback(
    (run: string, row: Row, index: number | null) => {
      setCurrent(index);
      setUrl({ step: row.step, seq: `${row.seq}`, of: run === id ? "" : run });
    },
    [id, setUrl],
  );
  const fold = useCallback((group: StepGroup) => {
    setOpened((before) => {
      const next = new Set(before);
      if (!next.delete(group.first)) next.add(group.first);
      return next;
    });
  }, []);
  const unfold = useCallback((index: number, row: Row) => {
    setUnfoldedAt((before) => {
      const next = new Map(before);
      if (!next.delete(index)) next.set(index, row.child_run);
      return next;
    });
  }, []);
  const go = useCallback((index: number) => setWanted({ index: Math.min(Math.max(0, index), overview.steps - 1), select: true }), [overview.steps]);
  const step = useCallback(
    (index: number) => {
      setReplay(index);
      go(index);
    },
    [go],
  );

  const has = overview.steps > 0;
  useKeys([
    { key: "j", label: "Next step", run: () => (replay === null ? go((current ?? -1) + 1) : step(Math.min(overview.steps - 1, replay + 1))), when: has },
    { key: "k", label: "Previous step", run: () => (replay === null ? go((current ?? overview.steps) - 1) : step(Math.max(0, replay - 1))), when: has },
    { key: "e", label: "The step that failed", run: () => failed && (setUrl({ step: failed.step, seq: `${failed.seq}`, of: failed.run_id === id ? "" : failed.run_id }), setWanted({ seq: path[0]!.seq, unfold: path[1]?.run_id ?? "" })), when: Boolean(failed) },
    { key: "G", label: "The last step", run: () => go(overview.steps - 1), when: has },
    { key: "0", label: "All of the time", run: () => setRange(ALL), when: has },
  ]);

  if (!has) return timeline.complete ? <NoSteps isOver={timeline.ended} /> : <Loading label="Reading the run" />;
  const isGraph = url.view === "graph" && summary.kind === "workflow";
  const replayed = replay === null ? undefined : rows.row(replay);
  return (
    <>
      <Group justify="space-between" mb="xs" mih={30}>
        <Group gap="sm">
          {summary.kind === "workflow" && <SegmentedControl size="xs" aria-label="Show the steps as" value={isGraph ? "graph" : "waterfall"} onChange={(view) => setUrl({ view })} data={[{ value: "waterfall", label: "Waterfall" }, { value: "graph", label: "Graph" }]} />}
          <Text size="xs" c="dimmed" role="status">
            {overview.steps.toLocaleString()} steps{overview.bad > 0 && `, ${overview.bad.toLocaleString()} went wrong`}
            {!timeline.complete && !timeline.left_out && ` – reading, ${Math.floor((timeline.seq / Math.max(1, timeline.head_seq)) * 100)} %`}
            {timeline.left_out && " – the first ones: a run may have more steps than are shown"}
          </Text>
        </Group>
        {!isGraph && replay === null && (
          <Button size="compact-sm" variant="default" onClick={() => step(0)}>
            Replay
          </Button>
        )}
      </Group>
      <ProblemNote problem={rows.problem} />
      <div className="run-split">
        <div style={{ minWidth: 0 }}>
          {isGraph ? (
            <WorkflowGraph workflow={summary.agent} run={id} every={timeline.ended ? undefined : 2000} height={560} onSelect={(pointer) => { const at = findState(pointer, overview.steps, rows.row); if (at !== null) go(at); }} />
          ) : (
            <>
              {replay !== null && <Replay at={replay} count={overview.steps} seq={replayed?.seq} onAt={step} onClose={() => setReplay(null)} />}
              <Overview timeline={timeline} axis={axis} range={range} onRange={setRange} />
              <Waterfall run={id} plan={plan} rows={rows} axis={axis} range={range} lanes={lanes} now={overview.ended_ts} selected={chosen} onSelect={select} onFold={fold} onUnfold={unfold} unfolded={new Set(unfoldedAt.keys())} reveal={reveal} height={HEIGHT} upto={replay === null ? null : (replayed?.end_seq ?? replayed?.seq ?? null)} />
            </>
          )}
          {said && (
            <Stack gap={2} mt="xs" component="section" aria-label="The model is answering">
              <Text size="xs" c="dimmed">
                The model is answering
              </Text>
              <div className="run-said" aria-live="off">
                <Markdown text={said} />
              </div>
            </Stack>
          )}
        </div>
        <aside className="run-inspector" aria-label="Step" tabIndex={0}>
          {chosen ? <Inspector run={chosen.run} step={chosen.step} seq={chosen.seq} summary={summary} isLive={!timeline.ended} /> : <NothingChosen />}
        </aside>
      </div>
    </>
  );
}

const NONE: ReadonlySet<number> = new Set();

/** The first rows of the runs that are unfolded below their steps. */
function useUnfolded(at: ReadonlyMap<number, string>, isLive: boolean): readonly Unfolded[] {
  const entries = [...at.entries()].sort((a, b) => a[0] - b[0]);
  const pages = useQueries({
    queries: entries.map(([, run]) => ({
      queryKey: [runPath(run, "/steps"), -1, CHILD_ROWS],
      queryFn: ({ signal }: { signal: AbortSignal }) => api.get<Schemas["StepPage"]>(runPath(run, "/steps"), { limit: CHILD_ROWS }, { signal }),
      refetchInterval: isLive ? 2000 : (false as const),
    })),
    combine: (found) => found.map((page) => page.data),
  });
  return useMemo(
    () => entries.map(([index, run], place) => ({ index, run, rows: pages[place]?.items, hasMore: Boolean(pages[place]?.cursor) })),
    // The entries are made of `at`.
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [at, pages],
  );
}

/** The newest known row of the state at a place of the document. */
function findState(pointer: string, steps: number, row: (index: number) => Row | undefined): number | null {
  const name = (pointer.split("/").at(-1) ?? "").replaceAll("~1", "/").replaceAll("~0", "~");
  for (let index = steps - 1; index >= 0; index -= 1) {
    const found = row(index);
    if (found?.kind === "state" && found.name === name) return index;
  }
  return null;
}
