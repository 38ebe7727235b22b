import { Anchor, List, Text } from "@mantine/core";
import { type Ref, useId, useImperativeHandle, useRef } from "react";
import "./editor.css";

export interface Mark {
  line: number;
  message: string;
}

export interface EditorHandle {
  /** Put the caret there, and bring it into view. Both count from 1. */
  go: (line: number, column: number) => void;
}

interface EditorProps {
  label: string;
  text: string;
  onChange: (text: string) => void;
  marks: readonly Mark[];
  disabled?: boolean;
  /** How many lines there are at least. */
  rows?: number;
  /** Long lines are broken; lines then have no numbers. */
  wrap?: boolean;
  /** The problems are listed by the page: here their lines are marked alone. */
  unlisted?: boolean;
  ref?: Ref<EditorHandle>;
}

const LINE_PX = 20;

/** A plain text field with line numbers; lines that are wrong are marked, and each problem leads to its line. */
export function Editor({ label, text, onChange, marks, disabled, rows = 8, wrap = false, unlisted = false, ref }: EditorProps) {
  const field = useRef<HTMLTextAreaElement>(null);
  const told = useId();
  const count = text.split("\n").length;
  const isListed = marks.length > 0 && !unlisted;
  const wrong = new Set(marks.map((mark) => mark.line));
  const startOf = (line: number) => text.split("\n").slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
  const show = (line: number, from: number, to: number) => {
    field.current?.focus();
    field.current?.setSelectionRange(from, to);
    field.current?.closest(".remit-editor")?.scrollTo({ top: Math.max(0, (line - 4) * LINE_PX) });
  };
  const goTo = (line: number) => {
    const start = startOf(line);
    const end = text.indexOf("\n", start);
    show(line, start, end < 0 ? text.length : end);
  };
  useImperativeHandle(ref, () => ({
    go: (line, column) => {
      const at = Math.min(startOf(line) + column - 1, text.length);
      show(line, at, at);
    },
  }));
  return (
    <div>
      <div className="remit-editor">
        {!wrap && (
          <ol aria-hidden>
            {Array.from({ length: count }, (_, at) => (
              <li key={at} data-wrong={wrong.has(at + 1) || undefined}>
                {at + 1}
              </li>
            ))}
          </ol>
        )}
        <textarea ref={field} aria-label={label} aria-invalid={marks.length > 0} aria-describedby={isListed ? told : undefined} spellCheck={false} autoCapitalize="off" autoComplete="off" data-wrap={wrap || undefined} rows={Math.max(count, rows)} style={{ minHeight: Math.max(count, rows) * LINE_PX + 16 }} value={text} disabled={disabled} onChange={(event) => onChange(event.currentTarget.value)} />
      </div>
      <div id={told} role={unlisted ? undefined : "status"} aria-live={unlisted ? undefined : "polite"}>
        {isListed && (
          <List size="sm" mt="xs" withPadding aria-label="problems">
            {marks.map((mark) => (
              <List.Item key={`${mark.line}${mark.message}`} style={{ overflowWrap: "anywhere" }}>
                {mark.line > 0 && (
                  <>
                    <Anchor component="button" type="button" size="sm" onClick={() => goTo(mark.line)}>
                      line {mark.line}
                    </Anchor>{" "}
                  </>
                )}
                <Text span size="sm" c="var(--mantine-color-error)">
                  {mark.message}
                </Text>
              </List.Item>
            ))}
          </List>
        )}
      </div>
    </div>
  );
}
