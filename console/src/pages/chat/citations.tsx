import { Badge, Group, Popover, Text, UnstyledButton } from "@mantine/core";
import { createContext, type ReactNode, useContext, useEffect, useId, useMemo, useRef, useState } from "react";
import type { Marks } from "../../ui";
import { type Citation, CITED, cited, type Place } from "./cited";
import { PassageBrief, PassageModal } from "./passage";
import { tableOf } from "./results";
import type { Part } from "./turn";

interface Resting {
  citations: readonly Citation[];
  parts: readonly Part[];
  /** Show characters of a document in their place. */
  open: (place: Place) => void;
}

const RestingContext = createContext<Resting>({ citations: [], parts: [], open: () => undefined });

/** What an answer says in `text` rests on: inside, its marks are numbers, and its sources can be opened. */
export function Citing({ text, parts, children }: { text: string; parts: readonly Part[]; children: ReactNode }) {
  const [place, open] = useState<Place>();
  const resting = useMemo(() => ({ citations: cited(text), parts, open }), [text, parts]);
  return (
    <RestingContext value={resting}>
      {children}
      {place && <PassageModal place={place} onClose={() => open(undefined)} />}
    </RestingContext>
  );
}

/** Citations in a text, drawn as numbers. */
export const CITATIONS: Marks = { pattern: CITED, draw: (whole) => <Mark whole={whole} /> };

const SOON_MS = 150;

/** The number of a source where it is cited. Hover and focus show what it says, Escape hides that again. */
function Mark({ whole }: { whole: string }) {
  const { citations, open } = useContext(RestingContext);
  const [isShown, setShown] = useState(false);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const id = useId();
  useEffect(() => () => clearTimeout(timer.current), []);
  const citation = citations.find((one) => one.whole === whole);
  if (!citation) return whole;
  // a moment later, so that the pointer can move from the number to what is shown
  const later = (isOver: boolean) => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setShown(isOver), SOON_MS);
  };
  const pointed = { onMouseEnter: () => later(true), onMouseLeave: () => later(false) };
  return (
    <Popover opened={isShown} onDismiss={() => setShown(false)} withRoles={false} transitionProps={{ duration: 0 }} withArrow shadow="md" position="top" width={360}>
      <Popover.Target>
        <button
          type="button"
          className="remit-chat-mark"
          aria-label={`Source ${citation.number}`}
          aria-describedby={isShown ? id : undefined}
          {...pointed}
          onFocus={() => setShown(true)}
          onBlur={() => setShown(false)}
          onKeyDown={(event) => event.key === "Escape" && setShown(false)}
          onClick={() => {
            setShown(citation.kind === "cell");
            if (citation.kind === "document") open(citation);
          }}
        >
          {citation.number}
        </button>
      </Popover.Target>
      <Popover.Dropdown id={id} role="tooltip" className="remit-chat-source" {...pointed}>
        {citation.kind === "document" ? <PassageBrief place={citation} /> : <CellText name={citation.label} />}
      </Popover.Dropdown>
    </Popover>
  );
}

/** The sources of an answer, by their numbers: on paper they are all that is left of the marks. */
export function Sources() {
  const { citations, open } = useContext(RestingContext);
  if (citations.length === 0) return null;
  return (
    <Group gap={6} role="group" aria-label="Sources">
      <Text size="xs" c="dimmed">
        Sources
      </Text>
      {citations.map((citation) =>
        citation.kind === "cell" ? (
          <Cell key={citation.whole} citation={citation} />
        ) : (
          <UnstyledButton key={citation.whole} onClick={() => open(citation)} title="Show these characters">
            <Numbered citation={citation} />
          </UnstyledButton>
        ),
      )}
    </Group>
  );
}

function Numbered({ citation, color }: { citation: Citation; color?: string }) {
  return (
    <Badge variant="default" color={color} tt="none" radius="sm" style={{ cursor: "pointer" }} leftSection={citation.number}>
      {citation.label}
    </Badge>
  );
}

function Cell({ citation }: { citation: Citation }) {
  const { parts } = useContext(RestingContext);
  return (
    <Popover withArrow shadow="md" position="top">
      <Popover.Target>
        <UnstyledButton title="Show this cell">
          <Numbered citation={citation} color={valueOf(citation.label, parts) ? undefined : "red"} />
        </UnstyledButton>
      </Popover.Target>
      <Popover.Dropdown className="remit-chat-source" maw={360}>
        <CellText name={citation.label} />
      </Popover.Dropdown>
    </Popover>
  );
}

function CellText({ name }: { name: string }) {
  const found = valueOf(name, useContext(RestingContext).parts);
  return <Text size="sm">{found ? `${found.value} – ${found.of}` : "No result of this turn has such a cell."}</Text>;
}

/** What stands in the cell that `[[r3.total]]` or `[[ID.r3.total]]` names, in the newest result that has it. */
function valueOf(name: string, parts: readonly Part[]): { value: string; of: string } | undefined {
  const [, id, row, column] = /^(?:([\w-]+)\.)?(r\d+)\.(.+)$/.exec(name) ?? [];
  for (const part of [...parts].reverse()) {
    if (part.kind !== "call") continue;
    const output = part.output as { id?: string; sql?: string } | undefined;
    if (id && output?.id !== id) continue;
    const found = tableOf(part.output)?.rows.find((one) => one["#"] === row);
    if (found && column && column in found) return { value: String(found[column]), of: output?.sql ?? part.name };
  }
  return undefined;
}
