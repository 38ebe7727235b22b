import { Badge, Group, Loader, Modal, Popover, Stack, Text, UnstyledButton } from "@mantine/core";
import { useState } from "react";
import { piece, type Schemas, useGet } from "../../api";
import { ProblemNote } from "../../ui";
import { tableOf } from "./results";
import type { Part, Turn } from "./turn";

type Passage = Schemas["Passage"];

interface Cited {
  document: string;
  start: number;
  end: number;
}

const DOCUMENT = /doc:([A-Za-z0-9][A-Za-z0-9._-]{0,127})#(\d{1,12})-(\d{1,12})/g;
const CELL = /\[\[((?:[\w-]+\.)?r\d+\.[\w .#%$&-]{1,60})\]\]/g;
const AROUND = 400;
const MOST = 60;

/** What a text rests on: passages of documents, and cells of results. */
export function cited(text: string): { documents: Cited[]; cells: string[] } {
  const documents = new Map<string, Cited>();
  for (const [whole, document, start, end] of text.matchAll(DOCUMENT)) documents.set(whole, { document: document!, start: Number(start), end: Number(end) });
  return { documents: [...documents.values()].slice(0, MOST), cells: [...new Set([...text.matchAll(CELL)].map((found) => found[1]!))].slice(0, MOST) };
}

/** The sources that an answer cites; each opens at the very characters, or says what stands in its cell. */
export function Sources({ text, turn }: { text: string; turn: Turn }) {
  const [open, setOpen] = useState<Cited>();
  const { documents, cells } = cited(text);
  if (documents.length === 0 && cells.length === 0) return null;
  return (
    <Group gap={6} role="group" aria-label="Sources">
      <Text size="xs" c="dimmed">
        Sources
      </Text>
      {documents.map((one) => (
        <UnstyledButton key={`${one.document}#${one.start}-${one.end}`} onClick={() => setOpen(one)} title="Show these characters">
          <Badge variant="default" tt="none" radius="sm" style={{ cursor: "pointer" }}>{`${one.document} ${one.start}–${one.end}`}</Badge>
        </UnstyledButton>
      ))}
      {cells.map((name) => (
        <Cell key={name} name={name} parts={turn.parts} />
      ))}
      {open && <PassageModal cited={open} onClose={() => setOpen(undefined)} />}
    </Group>
  );
}

function PassageModal({ cited: { document, start, end }, onClose }: { cited: Cited; onClose: () => void }) {
  const path = `/api/v1/documents/${piece(document)}/text`;
  const exact = useGet<Passage>(path, { start, end });
  const from = Math.max(0, start - AROUND);
  const upto = Math.min(end + AROUND, exact.data?.of ?? end);
  const around = useGet<Passage>(path, { start: from, end: upto }, { enabled: exact.data !== undefined });
  const problem = exact.error ?? around.error;
  // Places are counted in code points, as the server does.
  const points = Array.from(around.data?.text ?? "");
  return (
    <Modal opened onClose={onClose} title={exact.data?.title || document} size="lg">
      {problem ? (
        <ProblemNote problem={problem} />
      ) : !exact.data || !around.data ? (
        <Loader size="sm" role="status" aria-label="Loading" />
      ) : (
        <Stack gap="xs">
          <Text size="xs" c="dimmed" style={{ overflowWrap: "anywhere" }}>
            {`characters ${start} to ${end} of ${exact.data.of}`}
            {exact.data.source && ` · ${exact.data.source}`} · {exact.data.trust}
          </Text>
          <Text component="div" size="sm" style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>
            {from > 0 && "…"}
            {points.slice(0, start - from).join("")}
            <mark>{points.slice(start - from, end - from).join("")}</mark>
            {points.slice(end - from).join("")}
            {upto < exact.data.of && "…"}
          </Text>
        </Stack>
      )}
    </Modal>
  );
}

function Cell({ name, parts }: { name: string; parts: readonly Part[] }) {
  const found = valueOf(name, parts);
  return (
    <Popover withArrow shadow="md" position="top">
      <Popover.Target>
        <UnstyledButton title="Show this cell">
          <Badge variant="default" color={found ? undefined : "red"} tt="none" radius="sm" style={{ cursor: "pointer" }}>
            {name}
          </Badge>
        </UnstyledButton>
      </Popover.Target>
      <Popover.Dropdown>
        <Text size="sm" style={{ overflowWrap: "anywhere" }} maw={360}>
          {found ? `${found.value} – ${found.of}` : "No result of this turn has such a cell."}
        </Text>
      </Popover.Dropdown>
    </Popover>
  );
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
