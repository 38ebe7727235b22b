import { type InfiniteData, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useRef } from "react";
import { useLiveRows, usePages } from "../../api";
import { matches, type Run, type RunQuery } from "./query";

const PATH = "/api/v1/runs";

/** New runs that are taken in before the list begins anew at its first page. */
const MOST_NEW = 300;
/** New runs that are counted while the list is held. */
const MOST_HELD = 1_000;

interface PageOf {
  items: Run[];
  cursor?: string | null;
}

/** What was heard of since the list was fetched: the newest state of its runs, and the new ones. */
class Heard {
  private states = new Map<string, Run>();
  private taken = new Set<string>();

  constructor(private readonly query: RunQuery) {}

  /**
   * The list with what was heard. While it is held no run comes or goes, and `waiting` counts those that would come.
   * A run that is new to the list need not have begun last: it may be one that has just failed, say.
   */
  merged(items: readonly Run[], live: readonly Run[], isHeld: boolean, hasMore: boolean): { rows: Run[]; waiting: number; taken: number } {
    const listed = new Set(items.map((run) => run.run_id));
    const oldest = hasMore ? (items.at(-1)?.start_ts ?? 0) : 0;
    for (const run of live) {
      const isNew = run.start_ts >= oldest && (this.taken.has(run.run_id) || matches(run, this.query));
      if (listed.has(run.run_id) || isNew) this.hear(run);
    }
    const fresh = [...this.states.values()].filter((run) => !listed.has(run.run_id) && run.start_ts >= oldest).sort(byStart);
    for (const id of this.taken) if (listed.has(id)) this.taken.delete(id);
    if (!isHeld) for (const run of fresh) if (matches(run, this.query)) this.taken.add(run.run_id);
    const known = [...fresh.filter((run) => this.taken.has(run.run_id)), ...items.map((run) => newer(run, this.states.get(run.run_id)))].sort(byStart);
    const waiting = isHeld ? fresh.filter((run) => !this.taken.has(run.run_id) && matches(run, this.query)).length : 0;
    if (fresh.length > MOST_HELD) this.forget(fresh.slice(MOST_HELD / 2));
    return { rows: isHeld ? known : known.filter((run) => matches(run, this.query)), waiting, taken: this.taken.size };
  }

  private hear(run: Run): void {
    this.states.set(run.run_id, newer(run, this.states.get(run.run_id)));
  }

  private forget(runs: readonly Run[]): void {
    for (const run of runs) if (!this.taken.has(run.run_id)) this.states.delete(run.run_id);
  }
}

function newer(run: Run, other: Run | undefined): Run {
  return other && (other.changed_ts ?? 0) >= (run.changed_ts ?? 0) ? other : run;
}

function byStart(left: Run, right: Run): number {
  return right.start_ts - left.start_ts || (left.run_id < right.run_id ? 1 : -1);
}

/** The list of before, as long as it holds the same. */
function useSame<T>(list: readonly T[]): readonly T[] {
  const before = useRef(list);
  if (list.length !== before.current.length || list.some((one, at) => one !== before.current[at])) before.current = list;
  return before.current;
}

/** The runs that a question asks for, kept up to date. While it `isHeld` rows change in place, but none comes or goes. */
export function useRunList(query: RunQuery, { isHeld = false, limit = 50 }: { isHeld?: boolean; limit?: number } = {}) {
  const client = useQueryClient();
  const asked = useMemo(() => ({ ...query, limit }), [query, limit]);
  const pages = usePages<Run>(PATH, asked);
  const live = useLiveRows("run");
  const heard = useMemo(() => new Heard(query), [query]);
  const items = useSame(pages.items);
  const { isLoading, hasMore } = pages;
  const found = useMemo(() => heard.merged(items, isLoading ? [] : live, isHeld, hasMore), [heard, items, live, isHeld, isLoading, hasMore]);
  const isTooMany = found.taken > MOST_NEW && !isHeld;
  useEffect(() => {
    if (!isTooMany) return;
    client.setQueryData<InfiniteData<PageOf>>([PATH, asked, "pages"], (old) => old && { pages: old.pages.slice(0, 1), pageParams: old.pageParams.slice(0, 1) });
    void client.invalidateQueries({ queryKey: [PATH, asked, "pages"], exact: true });
  }, [client, asked, isTooMany]);
  return { ...pages, rows: found.rows, waiting: found.waiting };
}
