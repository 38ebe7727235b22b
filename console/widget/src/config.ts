/** What the script's tag says, as `data-` attributes. */
export interface Config {
  /** Remit's address; empty for the origin of the page. */
  api: string;
  /** An API key with the role operator. Everybody who sees the page can read it. */
  key: string;
  /** Who chats, if the site knows; else an id is made for this browser. */
  user: string;
  title: string;
  greeting: string;
  placeholder: string;
  /** The whole page is the chat, instead of a button in its corner. */
  isPage: boolean;
}

export function configOf(script: HTMLElement | SVGElement | null): Config {
  const said = script?.dataset ?? {};
  return {
    api: (said.api ?? "").replace(/\/+$/, ""),
    key: said.key ?? "",
    user: said.user ?? "",
    title: said.title || "Chat",
    greeting: said.greeting || "Hello! What would you like to know?",
    placeholder: said.placeholder || "Write a message",
    isPage: said.page !== undefined,
  };
}
