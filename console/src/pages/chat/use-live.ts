import { useEffect, useState } from "react";
import { asProblem, follow, piece, type Problem } from "../../api";
import { begun, type Delta, fold, type RunEvent, type Turn } from "./turn";

/** Pieces of a stream are shown together, so that a fast model does not make the page slow. */
const FLUSH_MS = 50;

export interface Live {
  turn: Turn;
  /** What streams just now; the journal's message takes its place. */
  draft: readonly Delta[];
  isConnected: boolean;
  problem?: Problem;
}

/** A turn while it happens: its run's events from the first on, and the model's words while they come. Goes on after a cut. */
export function useLiveTurn(runId: string, onEnd: () => void): Live {
  const [turn, setTurn] = useState(() => begun(runId));
  const [draft, setDraft] = useState<readonly Delta[]>([]);
  const [isConnected, setConnected] = useState(true);
  const [problem, setProblem] = useState<Problem>();
  useEffect(() => {
    const stop = new AbortController();
    let words: Delta[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const flush = () => {
      timer = undefined;
      setDraft(words.slice());
    };
    const add = (delta: Delta) => {
      const last = words.at(-1);
      if (last?.kind === delta.kind) words[words.length - 1] = { kind: last.kind, text: last.text + delta.text };
      else words.push(delta);
      timer ??= setTimeout(flush, FLUSH_MS);
    };
    const forget = () => {
      clearTimeout(timer);
      timer = undefined;
      words = [];
      setDraft([]);
    };
    setTurn(begun(runId));
    follow(`/api/v1/runs/${piece(runId)}/events`, {
      deltas: true,
      signal: stop.signal,
      onState: setConnected,
      onEvent: (name, data) => {
        if (name === "delta") return add(data as Delta);
        if (name === "error") return setProblem(asProblem(data));
        const event = data as RunEvent;
        if (event.type === "ModelAsked" || event.type === "ModelAnswered" || event.type === "ModelFailed" || event.type === "RunFinished") forget();
        setTurn((before) => fold(before, event));
        if (event.type === "RunFinished") {
          onEnd();
          stop.abort();
        }
      },
    }).catch((error: unknown) => setProblem(asProblem(error)));
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
    // `onEnd` is told once; a new one is no reason to follow anew
  }, [runId]);
  return { turn, draft, isConnected, problem };
}
