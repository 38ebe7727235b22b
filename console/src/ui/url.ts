import { useCallback, useMemo, useSyncExternalStore } from "react";

function subscribe(tell: () => void): () => void {
  addEventListener("hashchange", tell);
  addEventListener("popstate", tell);
  return () => {
    removeEventListener("hashchange", tell);
    removeEventListener("popstate", tell);
  };
}

function queryText(): string {
  const mark = location.hash.indexOf("?");
  return mark < 0 ? "" : location.hash.slice(mark + 1);
}

/**
 * State that lives in the hash's query, so that what is looked at can be pasted. What equals its default is left out.
 * Setting replaces the history's entry: Back leads to the page before, not through every filter.
 */
export function useUrlState<T extends Record<string, string>>(defaults: T): [T, (changes: Partial<T>) => void] {
  const text = useSyncExternalStore(subscribe, queryText);
  const known = JSON.stringify(defaults);
  const state = useMemo(() => {
    const given = new URLSearchParams(text);
    const base = JSON.parse(known) as T;
    return Object.fromEntries(Object.keys(base).map((name) => [name, given.get(name) ?? base[name]])) as T;
  }, [text, known]);
  const set = useCallback(
    (changes: Partial<T>) => {
      const base = JSON.parse(known) as T;
      const made = new URLSearchParams(queryText());
      for (const [name, value] of Object.entries(changes)) {
        if (value === undefined || value === base[name]) made.delete(name);
        else made.set(name, value as string);
      }
      const [path] = location.hash.split("?");
      const query = made.toString();
      history.replaceState(history.state, "", `${path || "#/"}${query ? `?${query}` : ""}`);
      dispatchEvent(new Event("popstate"));
    },
    [known],
  );
  return [state, set];
}

/** `url` when a link may lead there: http, https, mailto, or within this console. Anything else is undefined. */
export function safeHref(url: string): string | undefined {
  if (url.startsWith("#/")) return url;
  try {
    const { protocol } = new URL(url);
    return protocol === "http:" || protocol === "https:" || protocol === "mailto:" ? url : undefined;
  } catch {
    return undefined;
  }
}
