import { api } from "./client";
import type { Me } from "./me";
import { hasKey, isRemote, setCsrf, setKey } from "./session";
import { Problem } from "./problem";

interface Session extends Me {
  csrf?: string;
}

function remembered(session: Session): Me {
  setCsrf(session.csrf ?? "");
  return session;
}

/** Who is signed in. Rejects with a 401 Problem when nobody is. */
export async function loadSession(): Promise<Me> {
  if (isRemote && !hasKey()) throw new Problem(401, "E310", "Nobody is signed in", "", "");
  return remembered(await api.get<Session>("/api/v1/session"));
}

/** Sign in by an API key; where the API is elsewhere the key stays in this tab. */
export async function signIn(key: string): Promise<Me> {
  if (!isRemote) return remembered(await api.post<Session>("/api/v1/session", { key }));
  setKey(key);
  try {
    return await loadSession();
  } catch (error) {
    setKey("");
    throw error;
  }
}

/** Sign in by the one-time code of `remit up`. */
export async function signInByCode(code: string): Promise<Me> {
  return remembered(await api.post<Session>("/api/v1/session", { code }));
}

/** End the session. */
export async function signOut(): Promise<void> {
  if (isRemote) setKey("");
  else await api.del("/api/v1/session");
  location.hash = "#/";
  location.reload();
}
