import { Anchor, List, Text } from "@mantine/core";
import { useId, useRef } from "react";
import "./editor.css";

export interface Mark {
  line: number;
  message: string;
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
}

const LINE_PX = 20;

/** A plain text field with line numbers; lines that are wrong are marked, and each problem leads to its line. */
export function Editor({ label, text, onChange, marks, disabled, rows = 8, wrap = false }: EditorProps) {
  const field = useRef<HTMLTextAreaElement>(null);
  const told = useId();
  const count = text.split("\n").length;
  const wrong = new Set(marks.map((mark) => mark.line));
  const goTo = (line: number) => {
    const start = text.split("\n").slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
    field.current?.focus();
    field.current?.setSelectionRange(start, text.indexOf("\n", start) < 0 ? text.length : text.indexOf("\n", start));
    field.current?.closest(".remit-editor")?.scrollTo({ top: Math.max(0, (line - 4) * LINE_PX) });
  };
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
        <textarea ref={field} aria-label={label} aria-invalid={marks.length > 0} aria-describedby={told} spellCheck={false} autoCapitalize="off" autoComplete="off" data-wrap={wrap || undefined} rows={Math.max(count, rows)} style={{ minHeight: Math.max(count, rows) * LINE_PX + 16 }} value={text} disabled={disabled} onChange={(event) => onChange(event.currentTarget.value)} />
      </div>
      <div id={told} role="status" aria-live="polite">
        {marks.length > 0 && (
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
