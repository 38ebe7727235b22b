import { notifications } from "@mantine/notifications";
import { type QueryClient, type UseQueryOptions, useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, type Query } from "./client";
import { asProblem, type Problem } from "./problem";

type Options<T> = Omit<UseQueryOptions<T, Problem>, "queryKey" | "queryFn">;

/** What a path says. The key of its cache entry is [path, query], so that `touches: [path]` renews it. */
export function useGet<T>(path: string, query: Query = {}, options: Options<T> = {}) {
  return useQuery<T, Problem>({ queryKey: [path, query], queryFn: ({ signal }) => api.get<T>(path, query, { signal }), ...options });
}

interface PageOf<T> {
  items: T[];
  cursor?: string | null;
}

/** The items of a paged list so far, and `more` for the next page. */
export function usePages<T>(path: string, query: Query = {}, options: { enabled?: boolean; refetchInterval?: number } = {}) {
  const found = useInfiniteQuery<PageOf<T>, Problem>({
    queryKey: [path, query, "pages"], // apart from what `useGet` has of the same path: pages are of another shape
    queryFn: ({ pageParam, signal }) => api.get<PageOf<T>>(path, { ...query, cursor: pageParam as string | null }, { signal }),
    initialPageParam: null,
    getNextPageParam: (last) => last.cursor ?? null,
    ...options,
  });
  return {
    items: found.data?.pages.flatMap((page) => page.items) ?? [],
    first: found.data?.pages[0],
    more: () => void (found.hasNextPage && !found.isFetchingNextPage && found.fetchNextPage()),
    hasMore: found.hasNextPage,
    isLoading: found.isLoading,
    isFetching: found.isFetching,
    problem: found.error,
    refetch: () => void found.refetch(),
  };
}

interface Acting<In, Out> {
  /** What is said when it is done. */
  done?: string | ((out: Out, given: In) => string | void);
  /** Change the cache at once; what comes back undoes that. */
  optimistic?: (client: QueryClient, given: In) => (() => void) | void;
  /** Paths whose cache entries are stale afterwards; each stands for everything below it too. */
  touches?: readonly string[];
  /** Show no notification of a refusal: the caller shows it in place. */
  quiet?: boolean;
}

/** Something that changes the world. `run` resolves to undefined when it was refused (and the person has been told). */
export function useAct<In = void, Out = unknown>(act: (given: In) => Promise<Out>, options: Acting<In, Out> = {}) {
  const client = useQueryClient();
  const mutation = useMutation<Out, Problem, In, (() => void) | void>({
    mutationFn: act,
    onMutate: (given) => options.optimistic?.(client, given),
    onError: (error, _given, undo) => {
      undo?.();
      if (!options.quiet) tellProblem(error);
    },
    onSuccess: (out, given) => {
      const said = typeof options.done === "function" ? options.done(out, given) : options.done;
      if (said) notifications.show({ message: said, color: "teal" });
    },
    onSettled: () => renew(client, options.touches ?? []),
  });
  return {
    run: (given: In) => mutation.mutateAsync(given).catch(() => undefined),
    busy: mutation.isPending,
    problem: mutation.error,
    reset: mutation.reset,
  };
}

/** Mark what paths said as stale, and everything below them. */
export function renew(client: QueryClient, paths: readonly string[]): void {
  for (const path of paths) {
    void client.invalidateQueries({
      predicate: ({ queryKey: [key] }) => typeof key === "string" && (key === path || key.startsWith(`${path}/`)),
    });
  }
}

/** Show a refusal with its code and what to do. */
export function tellProblem(error: unknown): void {
  const problem = asProblem(error);
  notifications.show({
    title: [problem.code, problem.detail ? problem.title : ""].filter(Boolean).join(" · ") || undefined,
    message: [problem.detail || problem.title, problem.help].filter(Boolean).join(" – "),
    color: "red",
    autoClose: 10_000,
  });
}
