import type { Config } from "./config";
import { random, remembered } from "./kept";
import { rendered } from "./markdown";
import { STYLE } from "./style";
import { Failure, type Line, Talk } from "./talk";

/** Lines of an old conversation that are shown when it is opened again. */
const SHOWN = 100;
const LOOK_MS = 5_000;
const LOOKS = 120;

function element<K extends keyof HTMLElementTagNameMap>(name: K, className = "", text = ""): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

/** Put the chat into the page. */
export function show(config: Config): void {
  const { kept, save, forget } = remembered(config.api || location.origin, config.user);
  const talk = new Talk(config, kept);
  const host = element("div");
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  root.adoptedStyleSheets = [sheet];

  const opener = element("button", "open", config.title);
  opener.type = "button";
  opener.setAttribute("aria-haspopup", "dialog");
  const panel = element("section", config.isPage ? "panel page" : "panel");
  panel.setAttribute("role", config.isPage ? "region" : "dialog");
  panel.setAttribute("aria-label", config.title);
  const head = element("header");
  const again = element("button", "", "New");
  again.type = "button";
  again.title = "Begin a new conversation";
  const close = element("button", "", "Close");
  close.type = "button";
  head.append(element("h2", "", config.title), again, ...(config.isPage ? [] : [close]));
  const log = element("div", "log");
  log.setAttribute("role", "log");
  log.tabIndex = 0;
  const form = element("form");
  const box = element("textarea");
  box.rows = 1;
  box.placeholder = config.placeholder;
  box.setAttribute("aria-label", config.placeholder);
  box.maxLength = 8_000;
  const send = element("button", "", "Send");
  send.type = "submit";
  form.append(box, send);
  panel.append(head, log, form);
  root.append(...(config.isPage ? [panel] : [opener, panel]));

  let isBusy = false;
  let isLoaded = false;
  // A conversation that was left behind must not write into the new one.
  let epoch = 0;

  const add = (line: Line, className = line.role): HTMLElement => {
    const made = element("div", `line ${className}`);
    if (line.role === "user") made.textContent = line.text;
    else made.append(rendered(line.text));
    log.append(made);
    log.scrollTop = log.scrollHeight;
    return made;
  };
  const greet = () => add({ role: "assistant", text: config.greeting });
  const busy = (now: boolean) => {
    isBusy = now;
    send.disabled = now;
  };

  const load = async () => {
    isLoaded = true;
    if (!kept.conversation) return void greet();
    busy(true);
    try {
      const lines = await talk.lines();
      for (const line of lines.slice(-SHOWN)) add(line);
      if (lines.length === 0) greet();
    } catch (error) {
      if (error instanceof Failure && !error.again) {
        forget();
        greet();
      } else {
        tell(error, () => void load());
      }
    }
    busy(false);
  };

  const tell = (error: unknown, retry?: () => void) => {
    const note = add({ role: "note", text: error instanceof Failure ? error.message : "It did not work." });
    if (!retry || (error instanceof Failure && !error.again)) return;
    const button = element("button", "", "Try again");
    button.type = "button";
    button.onclick = () => {
      note.remove();
      retry();
    };
    note.append(button);
  };

  const ask = async (text: string, turn: string) => {
    const mine = epoch;
    busy(true);
    const dots = add({ role: "assistant", text: "" });
    dots.classList.add("dots");
    dots.setAttribute("aria-label", "It writes");
    try {
      const { text: answer, isWaiting } = await talk.ask(text, turn);
      if (mine !== epoch) return;
      save();
      dots.remove();
      add({ role: "assistant", text: answer });
      if (isWaiting) void later(mine);
    } catch (error) {
      dots.remove();
      if (mine === epoch) tell(error, () => void ask(text, turn));
    } finally {
      if (mine === epoch) busy(false);
    }
  };

  /** Look for the answer that comes once a person has decided. */
  const later = async (mine: number) => {
    const before = (await talk.lines().catch(() => [])).length;
    for (let looks = 0; looks < LOOKS && mine === epoch; looks++) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      const lines = await talk.lines().catch(() => []);
      if (mine !== epoch || isBusy) return;
      const fresh = lines.slice(before).filter((line) => line.role === "assistant");
      if (fresh.length > 0) return void fresh.forEach((line) => add(line));
    }
  };

  const submit = () => {
    const text = box.value.trim();
    if (!text || isBusy) return;
    box.value = "";
    add({ role: "user", text });
    void ask(text, random());
  };
  form.onsubmit = (event) => {
    event.preventDefault();
    submit();
  };
  box.onkeydown = (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    submit();
  };
  again.onclick = () => {
    epoch++;
    forget();
    log.replaceChildren();
    busy(false);
    greet();
    box.focus();
  };
  const toggle = (isOpen: boolean) => {
    panel.hidden = !isOpen;
    opener.hidden = isOpen;
    if (isOpen && !isLoaded) void load();
    (isOpen ? box : opener).focus();
  };
  opener.onclick = () => toggle(true);
  close.onclick = () => toggle(false);
  panel.onkeydown = (event) => {
    if (event.key === "Escape" && !config.isPage) toggle(false);
  };
  save();
  if (config.isPage) void load();
  else panel.hidden = true;
  document.body.append(host);
}
