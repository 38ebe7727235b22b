import { type Ref, useImperativeHandle, useMemo, useRef } from "react";
import "./editor.css";

export interface EditorHandle {
  /** Put the caret there, and bring it into view. */
  go: (line: number, column: number) => void;
}

const LINE_PX = 20;

/** A text area with its lines numbered; `marked` lines are those with a problem. */
export function Editor({ value, onChange, marked, label, ref }: { value: string; onChange: (value: string) => void; marked: readonly number[]; label: string; ref?: Ref<EditorHandle> }) {
  const area = useRef<HTMLTextAreaElement>(null);
  const gutter = useRef<HTMLDivElement>(null);
  const lines = useMemo(() => value.split("\n").length, [value]);
  const wrong = useMemo(() => new Set(marked), [marked]);
  useImperativeHandle(ref, () => ({
    go: (line, column) => {
      const box = area.current;
      if (!box) return;
      const starts = value.split("\n").slice(0, line - 1);
      const at = Math.min(starts.reduce((sum, text) => sum + text.length + 1, 0) + column - 1, value.length);
      box.focus();
      box.setSelectionRange(at, at);
      box.scrollTop = Math.max(0, (line - 5) * LINE_PX);
    },
  }));
  return (
    <div className="remit-editor">
      <div ref={gutter} className="gutter" aria-hidden>
        {Array.from({ length: lines }, (_, index) => (
          <div key={index} data-wrong={wrong.has(index + 1) || undefined}>
            {index + 1}
          </div>
        ))}
      </div>
      <textarea
        ref={area}
        value={value}
        aria-label={label}
        wrap="off"
        spellCheck={false}
        autoCapitalize="off"
        autoComplete="off"
        onChange={(event) => onChange(event.currentTarget.value)}
        onScroll={(event) => {
          if (gutter.current) gutter.current.scrollTop = event.currentTarget.scrollTop;
        }}
      />
    </div>
  );
}
