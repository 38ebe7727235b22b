import { Button, Group, Modal, Stack, Textarea } from "@mantine/core";
import { createContext, type ReactNode, useContext, useMemo, useRef, useState } from "react";

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
  const isLacking = asked?.reason === true && reason.trim() === "";
  return (
    <Context.Provider value={ask}>
      {children}
      <Modal opened={asked !== null} onClose={() => close(false)} title={asked?.title}>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (!isLacking) close(true);
          }}
        >
          <Stack>
            {asked?.body}
            {asked?.reason && <Textarea label="Reason" description="It is kept with the change." required data-autofocus autosize minRows={2} value={reason} onChange={(event) => setReason(event.currentTarget.value)} />}
            <Group justify="flex-end">
              <Button variant="default" onClick={() => close(false)}>
                Cancel
              </Button>
              <Button type="submit" color={asked?.danger ? "red" : undefined} disabled={isLacking} data-autofocus={asked?.reason ? undefined : true}>
                {asked?.action}
              </Button>
            </Group>
          </Stack>
        </form>
      </Modal>
    </Context.Provider>
  );
}
