import { useQueryClient } from "@tanstack/react-query";
import { startTransition, useEffect, useState, useSyncExternalStore } from "react";
import { follow } from "./follow";
import { renew } from "./hooks";
import type { Schemas } from "./types";

type Run = Schemas["AgentRun"];

interface LiveRows {
  run: readonly Run[];
  approval: readonly Record<string, unknown>[];
}

const KEPT = 200;
const RENEW_MS = 1_000;

let rows: LiveRows = { run: [], approval: [] };
let connected = true;
const listeners = new Set<() => void>();

let frame = 0;

/** Tell of all that came since the last frame, together and in the next one. */
function publish(): void {
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    for (const listener of listeners) listener();
  });
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/**
 * The newest changed rows, newest first, one for each run or approval. A change is a transition: what it draws is made in slices
 * between frames, so that neither scrolling nor typing waits for it.
 */
export function useLiveRows<K extends keyof LiveRows>(kind: K): LiveRows[K] {
  const [seen, see] = useState(rows[kind]);
  useEffect(() => {
    const tell = () => startTransition(() => see(rows[kind]));
    tell();
    return subscribe(tell);
  }, [kind]);
  return seen;
}

/** Whether what is shown is kept up to date at this moment. */
export function useConnected(): boolean {
  return useSyncExternalStore(subscribe, () => connected);
}

function newest<T extends Record<string, unknown>>(before: readonly T[], changed: readonly T[], id: string): T[] {
  const ids = new Set(changed.map((row) => row[id]));
  return [...[...changed].reverse(), ...before.filter((row) => !ids.has(row[id]))].slice(0, KEPT);
}

/** Follow what happens in the tenant for as long as it is mounted: once, in the shell. */
export function useLive(): void {
  const client = useQueryClient();
  useEffect(() => {
    const stop = new AbortController();
    const stale = new Set<string>();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const later = (...paths: string[]) => {
      for (const path of paths) stale.add(path);
      timer ??= setTimeout(() => {
        timer = undefined;
        renew(client, [...stale]);
        stale.clear();
      }, RENEW_MS);
    };
    void follow("/api/v1/live", {
      signal: stop.signal,
      onState: (now) => {
        if (now !== connected) {
          connected = now;
          publish();
        }
      },
      onEvent: (name, data) => {
        if (name === "runs") {
          const changed = data as Run[];
          rows = { ...rows, run: newest(rows.run as (Run & Record<string, unknown>)[], changed as (Run & Record<string, unknown>)[], "run_id") };
        } else if (name === "approvals") {
          rows = { ...rows, approval: newest(rows.approval, data as Record<string, unknown>[], "approval_id") };
          later("/api/v1/approvals");
        } else if (name === "again") {
          later("/api/v1/approvals", "/api/v1/runs"); // more changed than was told
        }
        publish();
      },
    }).catch(() => undefined);
    return () => {
      stop.abort();
      clearTimeout(timer);
      rows = { run: [], approval: [] };
    };
  }, [client]);
}
