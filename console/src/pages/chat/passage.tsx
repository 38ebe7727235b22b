import { Loader, Modal, Stack, Text } from "@mantine/core";
import { piece, type Schemas, useGet } from "../../api";
import { ProblemNote } from "../../ui";
import type { Place } from "./cited";

type Passage = Schemas["Passage"];

const AROUND = 400;
const MOST_SHOWN = 600;

function textOf({ document }: Place): string {
  return `/api/v1/documents/${piece(document)}/text`;
}

/** The very characters that are cited, with what stands around them. */
export function PassageModal({ place, onClose }: { place: Place; onClose: () => void }) {
  const { document, start, end } = place;
  const exact = useGet<Passage>(textOf(place), { start, end });
  const from = Math.max(0, start - AROUND);
  const upto = Math.min(end + AROUND, exact.data?.of ?? end);
  const around = useGet<Passage>(textOf(place), { start: from, end: upto }, { enabled: exact.data !== undefined });
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

/** The characters alone, as they fit beside the text that cites them. */
export function PassageBrief({ place }: { place: Place }) {
  const { data, error } = useGet<Passage>(textOf(place), { start: place.start, end: place.end });
  if (error) return <Text size="sm">{error.detail || error.title}</Text>;
  if (!data) return <Loader size="xs" role="status" aria-label="Loading" />;
  const points = Array.from(data.text);
  return (
    <Stack gap={4}>
      <Text size="xs" c="dimmed">
        {data.title || place.document}
        {data.source && ` · ${data.source}`} · {data.trust}
      </Text>
      <Text component="div" size="sm" style={{ whiteSpace: "pre-wrap" }}>
        {points.slice(0, MOST_SHOWN).join("")}
        {points.length > MOST_SHOWN && "…"}
      </Text>
      <Text size="xs" c="dimmed">
        Click or Enter shows it in its place.
      </Text>
    </Stack>
  );
}
