import { Button, Group, Switch, Tooltip } from "@mantine/core";
import { type ReactNode, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useCan, whyNot } from "../../api";
import { DataTable, Empty, Loading, PageHead, ProblemNote, useKeys, useUrlState } from "../../ui";
import { Bulk, type Done, Told } from "./bulk";
import { MORE_COLUMNS } from "./columns";
import { FilterBar } from "./filters";
import { useRunList } from "./list";
import { type Filters, FILTERS, type Run, type RunQuery, useRunQuery } from "./query";
import { StartRun } from "./start";
import { Strips } from "./strips";
import { SavedViews } from "./views";

const WALKING = new Set(["j", "k", "ArrowDown", "ArrowUp"]);
const href = (run: Run) => `/runs/${encodeURIComponent(run.run_id)}`;
const NONE: readonly Run[] = [];
const rowKey = (run: Run) => run.run_id;

/** All runs as they go: filtered, looked at together, cancelled and done again. */
export default function Runs() {
  const [filters, set] = useUrlState(FILTERS);
  const query = useRunQuery(filters);
  const [isLive, setLive] = useState(true);
  const [isStarting, setStarting] = useState(false);
  const mayRun = useCan("run");
  const start = useCallback(() => setStarting(true), []);
  useKeys([{ key: "n", label: "Start a run", run: start, when: mayRun }]);
  return (
    <>
      <PageHead
        title="Runs"
        actions={
          <>
            <Switch size="xs" label="Live" checked={isLive} onChange={(event) => setLive(event.currentTarget.checked)} />
            <SavedViews filters={filters} set={set} />
            <Tooltip label={whyNot(mayRun, "run")} disabled={mayRun}>
              <Button size="xs" onClick={() => mayRun && start()} data-disabled={mayRun ? undefined : true} aria-disabled={!mayRun}>
                Start a run
              </Button>
            </Tooltip>
          </>
        }
      />
      <Listed query={query} filters={filters} set={set} isLive={isLive} goLive={() => setLive(true)} start={mayRun ? start : undefined}>
        <FilterBar filters={filters} set={set} />
      </Listed>
      <StartRun opened={isStarting} onClose={() => setStarting(false)} agent={filters.agent} />
    </>
  );
}

interface ListedProps {
  query: RunQuery;
  filters: Filters;
  set: (changes: Partial<Filters>) => void;
  isLive: boolean;
  goLive: () => void;
  start: (() => void) | undefined;
  /** What stands above the list. */
  children: ReactNode;
}

/** What moves with every change that is heard of; the rest of the page is not made anew for it. */
function Listed({ query, filters, set, isLive, goLive, start, children }: ListedProps) {
  const [isBusy, setBusy] = useState(false);
  const [selected, setSelected] = useState<Set<string>>(new Set());
  const list = useRunList(query, { isHeld: !isLive || isBusy || selected.size > 0 });
  const [told, setTold] = useState<Done | null>(null);
  const box = useWalked(() => setBusy(true));
  useEffect(() => {
    setBusy(false);
    setSelected(new Set());
  }, [query]);
  const chosen = useMemo(() => (selected.size > 0 ? list.rows.filter((run) => selected.has(run.run_id)) : NONE), [list.rows, selected]);
  const clear = useCallback(() => setSelected(new Set()), []);
  const onAgent = useCallback((agent: string) => set({ agent }), [set]);
  const isFiltered = Object.values(filters).some((value) => value !== "");
  return (
    <>
      <Strips runs={list.rows} agent={filters.agent} onAgent={onAgent} />
      {children}
      <ProblemNote problem={list.problem} retry={list.refetch} />
      {told && <Told {...told} close={() => setTold(null)} />}
      <div ref={box} className="runs-list" onPointerDown={() => setBusy(true)}>
        <Group gap="xs" className="runs-bar">
          <Bulk runs={chosen} clear={clear} tell={setTold} />
          {list.waiting > 0 && (
            <Button
              size="compact-xs"
              variant="light"
              onClick={() => {
                setBusy(false);
                clear();
                goLive();
              }}
            >
              {list.waiting === 1 ? "1 new run" : `${list.waiting} new runs`}: show
            </Button>
          )}
        </Group>
        {list.isLoading ? (
          <Loading label="Loading runs" />
        ) : (
          <DataTable<Run>
            rows={list.rows}
            columns={MORE_COLUMNS}
            name="runs"
            height="max(240px, calc(100vh - 318px))"
            oneLine
            rowKey={rowKey}
            href={href}
            selected={selected}
            onSelect={setSelected}
            more={list.more}
            hasMore={list.hasMore}
            empty={list.problem ? null : <Nothing isFiltered={isFiltered} hasMore={list.hasMore} more={list.more} clear={() => set(FILTERS)} start={start} />}
          />
        )}
      </div>
    </>
  );
}

/** Whoever walks through the list, or reads further down, is not to have it move: it is held from then on. */
function useWalked(walked: () => void) {
  const box = useRef<HTMLDivElement>(null);
  const tell = useRef(walked);
  tell.current = walked;
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => WALKING.has(event.key) && tell.current();
    const onScroll = (event: Event) => event.target instanceof HTMLElement && event.target.scrollTop > 0 && tell.current();
    const listened = box.current;
    addEventListener("keydown", onKey);
    listened?.addEventListener("scroll", onScroll, { capture: true, passive: true });
    return () => {
      removeEventListener("keydown", onKey);
      listened?.removeEventListener("scroll", onScroll, { capture: true });
    };
  }, []);
  return box;
}

interface NothingProps {
  isFiltered: boolean;
  hasMore: boolean;
  more: () => void;
  clear: () => void;
  start: (() => void) | undefined;
}

function Nothing({ isFiltered, hasMore, more, clear, start }: NothingProps) {
  if (hasMore) {
    return (
      <Empty title="None among the newest runs" action={<Button size="xs" variant="default" onClick={more}>Look further back</Button>}>
        What the filters ask for is rare: only some runs were looked at.
      </Empty>
    );
  }
  if (isFiltered) {
    return (
      <Empty title="No run is like that" action={<Button size="xs" variant="default" onClick={clear}>Show all runs</Button>}>
        The filters leave none.
      </Empty>
    );
  }
  return (
    <Empty title="Nothing has run yet" action={start && <Button size="xs" onClick={start}>Start a run</Button>}>
      Runs come here as soon as they begin: from this page, from a terminal (<code>remit run AGENT "what to do"</code>), from the API or by a schedule.
    </Empty>
  );
}
