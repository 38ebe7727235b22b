import { createContext, lazy, type ReactNode, Suspense, useContext, useMemo, useRef, useState } from "react";
import { Boundary } from "./boundary";

const Asking = lazy(() => import("./asking"));

export interface Question {
  title: string;
  body?: ReactNode;
  /** Ask for a reason, which must not be empty. */
  reason?: boolean;
  danger?: boolean;
  /** What the button says: a verb. */
  action: string;
}

export interface Answered {
  ok: boolean;
  reason: string;
}

const Context = createContext<(question: Question) => Promise<Answered>>(async () => ({ ok: false, reason: "" }));

/** Ask before something that matters: `const {ok, reason} = await confirm({...})`. */
export function useConfirm(): (question: Question) => Promise<Answered> {
  return useContext(Context);
}

/** Shows the questions of `useConfirm`. Once, around the pages. */
export function ConfirmProvider({ children }: { children: ReactNode }) {
  const [asked, setAsked] = useState<Question | null>(null);
  const [reason, setReason] = useState("");
  const settle = useRef<(answer: Answered) => void>(() => undefined);
  const ask = useMemo(
    () => (question: Question) =>
      new Promise<Answered>((resolve) => {
        settle.current({ ok: false, reason: "" });
        settle.current = resolve;
        setReason("");
        setAsked(question);
      }),
    [],
  );
  const close = (ok: boolean) => {
    settle.current({ ok, reason: reason.trim() });
    setAsked(null);
  };
  return (
    <Context.Provider value={ask}>
      {children}
      <Boundary>
        <Suspense fallback={null}>
          <Asking asked={asked} reason={reason} onReason={setReason} onClose={close} />
        </Suspense>
      </Boundary>
    </Context.Provider>
  );
}
