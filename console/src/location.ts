import { useSyncExternalStore } from "react";

function subscribe(tell: () => void): () => void {
  addEventListener("hashchange", tell);
  return () => removeEventListener("hashchange", tell);
}

/** The path in the hash, without its query: `#/runs?status=failed` is `/runs`. */
function path(): string {
  return location.hash.replace(/^#?\/?/, "/").split("?", 1)[0]!;
}

function go(to: string, { replace = false, state = null }: { replace?: boolean; state?: unknown } = {}): void {
  const oldURL = location.href;
  history[replace ? "replaceState" : "pushState"](state, "", `#${to}`);
  dispatchEvent(new HashChangeEvent("hashchange", { oldURL, newURL: location.href }));
}

/** Where one is, for wouter. Its own hook takes the hash's query for a part of the path, and loses the one that is gone to. */
export function useHashPath(): [string, typeof go] {
  return [useSyncExternalStore(subscribe, path), go];
}
useHashPath.hrefs = (href: string) => `#${href}`;
