import { problemOf, unreachable } from "./problem";
import { base, isRemote, proof } from "./session";

export type Query = Record<string, string | number | boolean | null | undefined | readonly string[]>;

/** The address of `path` with a query; what is empty is left out. */
export function urlOf(path: string, query: Query = {}): string {
  const made = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === null || value === "") continue;
    for (const one of Array.isArray(value) ? value : [value]) made.append(name, String(one));
  }
  const text = made.toString();
  return base + path + (text ? `?${text}` : "");
}

/** Ask the API; throws `Problem` for a refusal and when nobody answers. */
export async function request(method: string, path: string, query?: Query, body?: unknown, init: RequestInit = {}): Promise<Response> {
  const headers: Record<string, string> = { Accept: "application/json", ...proof(method), ...(init.headers as Record<string, string>) };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(urlOf(path, query), {
      ...init,
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: isRemote ? "omit" : "same-origin",
    });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw unreachable();
  }
  if (!response.ok) {
    if (response.status === 401) signedOut.dispatchEvent(new Event("out"));
    throw await problemOf(response);
  }
  return response;
}

/** Tells the shell that the session has ended. */
export const signedOut = new EventTarget();

async function json<T>(method: string, path: string, query?: Query, body?: unknown, init?: RequestInit): Promise<T> {
  const response = await request(method, path, query, body, init);
  if (response.status === 204) return undefined as T;
  const text = await response.text();
  return (text ? JSON.parse(text) : undefined) as T;
}

/** The API's verbs. Each throws `Problem`. */
export const api = {
  get: <T>(path: string, query?: Query, init?: RequestInit) => json<T>("GET", path, query, undefined, init),
  post: <T>(path: string, body?: unknown, headers?: Record<string, string>) => json<T>("POST", path, undefined, body ?? {}, { headers }),
  put: <T>(path: string, body?: unknown, headers?: Record<string, string>) => json<T>("PUT", path, undefined, body ?? {}, { headers }),
  del: <T>(path: string, query?: Query) => json<T>("DELETE", path, query),
  text: async (path: string, query?: Query) => (await request("GET", path, query, undefined, { headers: { Accept: "*/*" } })).text(),
  blob: async (path: string, query?: Query) => (await request("GET", path, query, undefined, { headers: { Accept: "*/*" } })).blob(),
};

/** A piece of a path: whatever a name holds, it stays one piece. */
export function piece(text: string): string {
  return encodeURIComponent(text);
}
