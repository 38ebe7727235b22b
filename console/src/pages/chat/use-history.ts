import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { api, piece, type Problem, type Schemas, useGet } from "../../api";
import { turnsOf, type Turn } from "./turn";

type Page = Schemas["ConversationMessages"];
type Run = Schemas["AgentRun"];

const A_PAGE = 100;

/** What was said before this page was opened, page by page backwards; what is said now comes live. */
export function useHistory(session: string, isNew: boolean) {
  const found = useInfiniteQuery<Page, Problem>({
    queryKey: ["conversation", session],
    queryFn: ({ pageParam, signal }) => api.get<Page>(`/api/v1/conversations/${piece(session)}/messages`, { limit: A_PAGE, cursor: pageParam as string | null }, { signal }),
    initialPageParam: null,
    getNextPageParam: (last) => last.cursor ?? null,
    enabled: !isNew,
    gcTime: 0,
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
  });
  const runs = useGet<{ items: Run[] }>("/api/v1/runs", { session_id: session, limit: 100 }, { enabled: !isNew, gcTime: 0, staleTime: Number.POSITIVE_INFINITY, refetchOnWindowFocus: false });
  const turns = useMemo(() => {
    const messages = (found.data?.pages ?? []).flatMap((page) => page.items).reverse();
    const known = new Map((runs.data?.items ?? []).map((run) => [run.run_id, run]));
    return turnsOf(messages, !found.hasNextPage).map((turn): Turn => {
      const run = known.get(turn.runId);
      return run ? { ...turn, status: run.status as Turn["status"], agent: run.agent_id, taskId: run.task_id ?? "" } : turn;
    });
  }, [found.data, found.hasNextPage, runs.data]);
  return {
    turns,
    isLoading: !isNew && (found.isLoading || runs.isLoading),
    problem: found.error ?? runs.error,
    hasMore: found.hasNextPage,
    more: () => void (found.hasNextPage && !found.isFetchingNextPage && found.fetchNextPage()),
    retry: () => {
      void found.refetch();
      void runs.refetch();
    },
  };
}
