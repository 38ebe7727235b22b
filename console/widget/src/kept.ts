/** What this browser remembers of a chat: who asks, and in which conversation. */
export interface Kept {
  user: string;
  conversation: string;
}

/** A memory in the browser's storage; for this page alone where there is none. */
export function remembered(name: string, user: string): { kept: Kept; save: () => void; forget: () => void } {
  const key = `remit.chat ${name}`;
  const fresh = (): Kept => ({ user: user || `web-${random()}`, conversation: "" });
  let kept = fresh();
  try {
    const found = JSON.parse(localStorage.getItem(key) ?? "null") as Partial<Kept> | null;
    if (found && typeof found.user === "string" && typeof found.conversation === "string" && (!user || found.user === user)) kept = { user: found.user, conversation: found.conversation };
  } catch {
    // storage is blocked, or holds something else
  }
  const save = () => {
    try {
      localStorage.setItem(key, JSON.stringify(kept));
    } catch {
      // then it lasts as long as the page
    }
  };
  const forget = () => {
    kept.conversation = "";
    save();
  };
  return { kept, save, forget };
}

/** 128 random bits: whoever knows another's id could read their chat, so none can be guessed. */
export function random(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
