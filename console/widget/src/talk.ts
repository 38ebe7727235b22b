import type { Config } from "./config";
import type { Kept } from "./kept";

export interface Line {
  role: string;
  text: string;
}

interface Reply {
  response?: string;
  conversation_id: string;
  task_id?: string;
  status?: string;
}

/** It did not work. `again`: trying again may help. */
export class Failure extends Error {
  constructor(
    message: string,
    readonly again: boolean,
  ) {
    super(message);
  }
}

const MOST_PAGES = 40;
const LONGEST_WAIT_MS = 5_000;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Remit's chat over HTTP: `POST /chat`, and what belongs to it. */
export class Talk {
  constructor(
    private readonly config: Config,
    private readonly kept: Kept,
  ) {}

  /** Ask, and wait for the answer. The same `turn` again is the same question, not another. */
  async ask(query: string, turn: string): Promise<{ text: string; isWaiting: boolean }> {
    const body = { user_id: this.kept.user, query, ...(this.kept.conversation ? { conversation_id: this.kept.conversation } : {}) };
    let reply = await this.send<Reply>("/chat", { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json", "Idempotency-Key": turn } });
    this.kept.conversation = reply.conversation_id;
    for (let wait = 1_000; reply.task_id; wait = Math.min(wait * 1.5, LONGEST_WAIT_MS)) {
      await pause(wait);
      reply = await this.send<Reply>(`/chat/${encodeURIComponent(reply.task_id)}?user_id=${encodeURIComponent(this.kept.user)}`);
    }
    return { text: reply.response ?? "", isWaiting: reply.status === "needs_approval" || reply.status === "needs_info" };
  }

  /** All that was said so far, oldest first. */
  async lines(): Promise<Line[]> {
    const found: Line[] = [];
    let cursor = "";
    for (let page = 0; page < MOST_PAGES; page++) {
      const query = `user_id=${encodeURIComponent(this.kept.user)}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`;
      const made = await this.send<{ items: Line[]; cursor: string | null }>(`/chat/conversations/${encodeURIComponent(this.kept.conversation)}?${query}`);
      found.push(...made.items);
      if (!made.cursor) break;
      cursor = made.cursor;
    }
    return found;
  }

  private async send<T>(path: string, init: RequestInit = {}): Promise<T> {
    const headers: Record<string, string> = { ...(init.headers as Record<string, string>) };
    if (this.config.key) headers.Authorization = `Bearer ${this.config.key}`;
    let response: Response;
    try {
      response = await fetch(this.config.api + path, { ...init, headers, credentials: "omit" });
    } catch {
      throw new Failure("The line is cut.", true);
    }
    if (response.ok) return (await response.json()) as T;
    throw await failure(response);
  }
}

async function failure(response: Response): Promise<Failure> {
  const said = (await response.json().catch(() => ({}))) as { detail?: string };
  if (response.status === 404) return new Failure("This conversation is not there any more.", false);
  if (response.status === 401 || response.status === 403) return new Failure("The chat is not open to you.", false);
  if (response.status === 400 || response.status === 413) return new Failure(said.detail || "This cannot be asked.", false);
  if (response.status === 429) return new Failure("There were too many questions. Try again later.", true);
  return new Failure("It did not work.", true);
}
