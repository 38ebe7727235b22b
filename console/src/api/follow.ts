import { request } from "./client";
import { Problem } from "./problem";

export interface Following {
  /** Where to go on from: the id of the last event seen. */
  after?: string;
  deltas?: boolean;
  query?: Record<string, string | number | boolean | undefined>;
  onEvent: (name: string, data: unknown, id: string) => void;
  /** Called with true while connected, false while it tries again in vain. */
  onState?: (connected: boolean) => void;
  signal: AbortSignal;
}

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;

/**
 * Follow server-sent events until the signal, the end of the stream's subject (204) or a refusal that will not pass.
 * Made on fetch, since EventSource can send no headers: a console served elsewhere proves itself by one.
 *
 * A stream that came to its end is asked for again after as long as it said (`retry`): behind API Gateway each is a short one.
 */
export async function follow(path: string, options: Following): Promise<void> {
  let last = options.after ?? "";
  let wait = FIRST_WAIT_MS;
  while (!options.signal.aborted) {
    let next: number | undefined;
    try {
      const headers: Record<string, string> = { Accept: "text/event-stream" };
      if (last) headers["Last-Event-ID"] = last;
      const response = await request("GET", path, { ...options.query, deltas: options.deltas }, undefined, { headers, signal: options.signal });
      if (response.status === 204 || !response.body) return;
      options.onState?.(true);
      wait = FIRST_WAIT_MS;
      next = await read(response.body, (name, data, id) => {
        if (id) last = id;
        options.onEvent(name, data, id);
      });
    } catch (error) {
      if (options.signal.aborted) return;
      if (error instanceof Problem && error.status >= 400 && error.status < 500 && error.status !== 429) throw error;
    }
    if (options.signal.aborted) return;
    if (next !== undefined) {
      await pause(next + (Math.random() * next) / 4, options.signal);
      continue;
    }
    options.onState?.(false);
    await pause(wait + Math.random() * wait, options.signal);
    wait = Math.min(wait * 2, LONGEST_WAIT_MS);
  }
}

/** Tell each event until the stream ends; after how long to come back then, if it said so. */
async function read(body: ReadableStream<Uint8Array>, tell: (name: string, data: unknown, id: string) => void): Promise<number | undefined> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  let rest = "";
  let retry: number | undefined;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return retry;
    rest += value;
    let end: number;
    while ((end = rest.indexOf("\n\n")) >= 0) {
      const block = rest.slice(0, end);
      rest = rest.slice(end + 2);
      let name = "message";
      let id = "";
      const data: string[] = [];
      for (const line of block.split("\n")) {
        if (line.startsWith("retry:")) retry = Math.min(Number.parseInt(line.slice(6), 10) || FIRST_WAIT_MS, LONGEST_WAIT_MS);
        else if (line.startsWith("event:")) name = line.slice(6).trim();
        else if (line.startsWith("id:")) id = line.slice(3).trim();
        else if (line.startsWith("data:")) data.push(line.slice(5).trimStart());
      }
      if (data.length > 0) tell(name, JSON.parse(data.join("\n")), id);
    }
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
