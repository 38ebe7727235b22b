/**
 * How this page proves who asks: by the session's cookie where the server serves the page itself, else by a key that lives in
 * this tab only.
 */

declare global {
  interface Window {
    REMIT?: { api?: string };
  }
}

const KEY = "remit.key";

/** The API's address without a slash at its end; empty for the origin that served the page. */
export const base = (window.REMIT?.api ?? "").replace(/\/+$/, "");

/** Whether the API is elsewhere: then there is no cookie, and a key goes with every request. */
export const isRemote = base !== "";

let csrf = "";

/** Remember what proves that a changing request comes from this page. */
export function setCsrf(token: string): void {
  csrf = token;
}

export function setKey(key: string): void {
  if (key) sessionStorage.setItem(KEY, key);
  else sessionStorage.removeItem(KEY);
}

export function hasKey(): boolean {
  return sessionStorage.getItem(KEY) !== null;
}

/** The headers that prove who asks. */
export function proof(method: string): Record<string, string> {
  if (isRemote) {
    const key = sessionStorage.getItem(KEY);
    return key ? { Authorization: `Bearer ${key}` } : {};
  }
  return method === "GET" || !csrf ? {} : { "X-Remit-CSRF": csrf };
}
