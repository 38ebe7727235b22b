import { useEffect, useRef, useSyncExternalStore } from "react";

export interface KeyOf {
  /** What `KeyboardEvent.key` says: "j", "Enter", "?"; letters without modifiers. */
  key: string;
  label: string;
  run: () => void;
  when?: boolean;
}

let registered: readonly (readonly KeyOf[])[] = [];
const listeners = new Set<() => void>();

function change(next: readonly (readonly KeyOf[])[]): void {
  registered = next;
  for (const listener of listeners) listener();
}

/** Keys of this page for as long as it is shown. They are listed under `?`, and off while one types. */
export function useKeys(keys: readonly KeyOf[]): void {
  const current = useRef(keys);
  current.current = keys;
  const shape = keys.map((one) => `${one.key}${one.label}${one.when ?? true}`).join("\n");
  useEffect(() => {
    const mine = current.current.filter((one) => one.when ?? true);
    change([...registered, mine]);
    const listen = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || isBehindDialog(event.target)) return;
      const chosen = current.current.find((one) => one.key === event.key && (one.when ?? true));
      if (chosen) {
        event.preventDefault();
        chosen.run();
      }
    };
    addEventListener("keydown", listen);
    return () => {
      removeEventListener("keydown", listen);
      change(registered.filter((one) => one !== mine));
    };
  }, [shape]);
}

function isTyping(target: EventTarget | null): boolean {
  if (target instanceof HTMLInputElement && (target.type === "checkbox" || target.type === "radio")) return false;
  return target instanceof HTMLElement && (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName));
}

function isBehindDialog(target: EventTarget | null): boolean {
  return document.querySelector('[role="dialog"]') !== null && target instanceof HTMLElement && target.closest('[data-keys="allowed"]') === null;
}

/** The keys that count at this moment, of the page and of everywhere. */
export function useRegisteredKeys(): readonly (readonly KeyOf[])[] {
  return useSyncExternalStore(
    (tell) => (listeners.add(tell), () => listeners.delete(tell)),
    () => registered,
  );
}
