import { useInfiniteQuery, useQueries, useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { api, asProblem, follow, piece, type Problem, type Schemas } from "../../api";

export type Row = Schemas["StepRow"];
export type Group = Schemas["StepGroup"];
export type Gap = Schemas["Gap"];
export type Lane = Schemas["Lane"];
export type Summary = Schemas["RunSummary"];
export type Timeline = Schemas["RunTimeline"];
export type Detail = Schemas["StepDetail"];
export type EventOf = Schemas["EventView"];
type Page = Schemas["StepPage"];

/** The address of a run's things. */
export function runPath(id: string, rest = ""): string {
  return `/api/v1/runs/${piece(id)}${rest}`;
}

/** How soon a timeline that is not read to its end is asked for again, in milliseconds. */
const GO_ON_MS = 60;

/** The timeline of a run, read on until it is complete. */
export function useTimeline(id: string) {
  return useQuery<Timeline, Problem>({
    queryKey: [runPath(id, "/timeline")],
    queryFn: ({ signal }) => api.get<Timeline>(runPath(id, "/timeline"), {}, { signal }),
    refetchInterval: ({ state: { data } }) => (data && !data.complete && !data.left_out ? GO_ON_MS : false),
    structuralSharing: false,
  });
}

export interface Rows {
  /** The row at an index of the whole run; undefined while it is fetched. */
  row: (index: number) => Row | undefined;
  /** Fetch the pages that hold these rows, and no others: between two of them may lie thousands that are folded away. */
  show: (indices: readonly number[]) => void;
  problem: Problem | null;
}

/** The rows of a run by index: pages are fetched when they come into view, and again while something in them is open. */
export function useRows(id: string, timeline: Timeline | undefined): Rows {
  const [shown, setShown] = useState<readonly number[]>([0]);
  const client = useQueryClient();
  const marks = timeline?.overview.marks;
  const size = timeline?.overview.page ?? 1;
  const seq = timeline?.seq ?? -1;
  const pages = useQueries({
    queries: (marks ? shown.filter((page) => page < marks.length) : []).map((page) => ({
      queryKey: [runPath(id, "/steps"), marks![page], size],
      queryFn: ({ signal }: { signal: AbortSignal }) => api.get<Page>(runPath(id, "/steps"), { after: marks![page]! - 1, limit: size }, { signal }),
      staleTime: Infinity,
      gcTime: 30_000,
      structuralSharing: false as const,
    })),
  });
  const known = useRef(new Map<number, readonly Row[]>());
  const first = useRef(id);
  if (first.current !== id) {
    first.current = id;
    known.current = new Map();
  }
  if (marks) {
    shown.filter((page) => page < marks.length).forEach((page, place) => {
      const items = pages[place]?.data?.items;
      if (items) known.current.set(page, items);
    });
  }
  useEffect(() => {
    for (const [page, rows] of known.current) {
      const isOpen = rows.length < size || rows.some((row) => row.end_seq === null);
      if (isOpen && marks && page < marks.length) void client.invalidateQueries({ queryKey: [runPath(id, "/steps"), marks[page], size] });
    }
    // The journal has grown: what was not final may be now.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [seq]);
  const show = useCallback(
    (indices: readonly number[]) => {
      const wanted = [...new Set(indices.map((index) => Math.floor(index / size)))];
      if (wanted.length === 0) return;
      setShown((before) => (wanted.every((page) => before.includes(page)) && before.length <= wanted.length + 2 ? before : wanted));
      // Far more than a screen is kept, and no more: a person who scrolls through 100,000 steps does not fill the memory.
      if (known.current.size > 60) {
        for (const page of [...known.current.keys()]) if (!wanted.includes(page)) known.current.delete(page);
      }
    },
    [size],
  );
  const row = useCallback((index: number) => known.current.get(Math.floor(index / size))?.[index % size], [size]);
  return { row, show, problem: pages.find((page) => page.error)?.error as Problem | null };
}

/** The steps of a run of one kind, page by page. */
export function useSteps(id: string, kind: string, limit = 200) {
  const found = useInfiniteQuery<Page, Problem>({
    queryKey: [runPath(id, "/steps"), kind],
    queryFn: ({ pageParam, signal }) => api.get<Page>(runPath(id, "/steps"), { kind, limit, after: pageParam as string | number }, { signal }),
    initialPageParam: -1,
    getNextPageParam: (last) => last.cursor,
  });
  const items = found.data?.pages.flatMap((page) => page.items) ?? [];
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = found;
  const more = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  // What is looked through for one page is bounded, so that an empty page may be followed by a full one.
  useEffect(() => {
    if (items.length === 0) more();
  }, [items.length, more]);
  return { items, more, hasMore: hasNextPage, isLoading: found.isLoading || (items.length === 0 && hasNextPage), problem: found.error };
}

const EVENTS = 200;

/** The events of a run, page by page. */
export function useEvents(id: string) {
  const found = useInfiniteQuery<Schemas["EventPage"], Problem>({
    queryKey: [runPath(id, "/events")],
    queryFn: ({ pageParam, signal }) => api.get<Schemas["EventPage"]>(runPath(id, "/events"), { after: pageParam as number, limit: EVENTS }, { signal }),
    initialPageParam: -1,
    getNextPageParam: (last) => (last.items.length === EVENTS ? last.items.at(-1)!.seq : undefined),
  });
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = found;
  const more = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  const items = useMemo(() => found.data?.pages.flatMap((page) => page.items) ?? [], [found.data]);
  return { items, more, hasMore: hasNextPage, isLoading: found.isLoading, isFetching: isFetchingNextPage, problem: found.error };
}

/** At most so often the page looks again while events come in, in milliseconds. */
const RENEW_MS = 400;

/** Keeps the page up to date while the run goes on. Gives what the model is saying just now. */
export function useLiveRun(id: string, summary: Summary | undefined): { said: string; problem: Problem | null } {
  const client = useQueryClient();
  const [said, setSaid] = useState("");
  const [problem, setProblem] = useState<Problem | null>(null);
  const isOver = !summary || summary.ended_ts !== null;
  const after = useRef(0);
  after.current = summary?.seq ?? 0;
  useEffect(() => {
    if (isOver) return;
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let text = "";
    let drawing = 0;
    const draw = () => {
      drawing = 0;
      setSaid(text);
    };
    const look = () => {
      timer = undefined;
      for (const rest of ["/summary", "/timeline", "/events", "/approvals", "/family"]) void client.invalidateQueries({ queryKey: [runPath(id, rest)] });
      void client.invalidateQueries({ predicate: ({ queryKey: [path] }) => typeof path === "string" && path.startsWith(runPath(id, "/steps/")) });
    };
    follow(runPath(id, "/events"), {
      after: String(after.current),
      deltas: true,
      signal: stop.signal,
      onEvent: (name, data) => {
        if (name === "delta") {
          text = (text + ((data as { text?: string }).text ?? "")).slice(-4000);
          drawing ||= requestAnimationFrame(draw);
          return;
        }
        if (name === "ModelAnswered" || name === "ModelFailed") {
          text = "";
          drawing ||= requestAnimationFrame(draw);
        }
        timer ??= setTimeout(look, RENEW_MS);
      },
    }).then(look, (error: unknown) => setProblem(asProblem(error)));
    return () => {
      stop.abort();
      clearTimeout(timer);
      cancelAnimationFrame(drawing);
    };
  }, [id, isOver, client]);
  return { said: isOver ? "" : said, problem };
}
