import { ActionIcon, Button, Group, Slider, Text } from "@mantine/core";
import { useEffect, useState } from "react";

const PLAY_MS = 350;

/** Walks through the steps in the order in which they began. */
export function Replay({ at, count, seq, onAt, onClose }: { at: number; count: number; seq: number | undefined; onAt: (at: number) => void; onClose: () => void }) {
  const [isPlaying, setPlaying] = useState(false);
  const isEnd = at >= count - 1;
  useEffect(() => {
    if (!isPlaying || isEnd) return;
    const timer = setTimeout(() => onAt(at + 1), PLAY_MS);
    return () => clearTimeout(timer);
  }, [isPlaying, isEnd, at, onAt]);
  return (
    <Group gap="sm" mb="xs" wrap="nowrap" role="group" aria-label="Replay">
      <ActionIcon variant="default" aria-label="One step back" onClick={() => onAt(at - 1)} disabled={at <= 0}>
        ◂
      </ActionIcon>
      <ActionIcon variant="default" aria-label={isPlaying && !isEnd ? "Pause" : "Play"} onClick={() => setPlaying(!isPlaying)} disabled={isEnd}>
        {isPlaying && !isEnd ? "❚❚" : "▶"}
      </ActionIcon>
      <ActionIcon variant="default" aria-label="One step on" onClick={() => onAt(at + 1)} disabled={isEnd}>
        ▸
      </ActionIcon>
      <Slider style={{ flex: 1 }} min={0} max={Math.max(0, count - 1)} value={at} onChange={onAt} label={(value) => `step ${(value + 1).toLocaleString()}`} thumbLabel="Step of the replay" size="sm" />
      <Text size="xs" c="dimmed" style={{ whiteSpace: "nowrap", minWidth: 150 }} role="status">
        step {(at + 1).toLocaleString()} of {count.toLocaleString()}
        {seq === undefined ? "" : `, event ${seq.toLocaleString()}`}
      </Text>
      <Button size="compact-sm" variant="subtle" onClick={onClose}>
        End replay
      </Button>
    </Group>
  );
}
