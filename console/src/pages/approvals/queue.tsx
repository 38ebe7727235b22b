import { Badge, Checkbox, Group, Text, UnstyledButton } from "@mantine/core";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef } from "react";
import type { Schemas } from "../../api";
import { Ago, Deadline, Loading, RiskBadge, StatusBadge } from "../../ui";
import { callOf, isOpen } from "./call";

type Approval = Schemas["Approval"];

interface QueueProps {
  items: readonly Approval[];
  current: string | undefined;
  isLoading: boolean;
  more: (() => void) | undefined;
  chosen: ReadonlySet<string>;
  onChoose: (ids: Set<string>) => void;
  onOpen: (id: string) => void;
}

const ROW_PX = 76;

/** The approvals one under the other; those of exactly the same call can be chosen together. */
export function Queue({ items, current, isLoading, more, chosen, onChoose, onOpen }: QueueProps) {
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({ count: items.length, getScrollElement: () => box.current, estimateSize: () => ROW_PX, overscan: 8 });
  const rows = virtual.getVirtualItems();
  const last = rows.at(-1)?.index ?? 0;
  useEffect(() => {
    if (more && last >= items.length - 10) more();
  }, [last, items.length, more]);
  const at = items.findIndex((item) => item.approval_id === current);
  useEffect(() => {
    if (at >= 0) virtual.scrollToIndex(at);
  }, [at, virtual]);

  const alike = useMemo(() => {
    const found = new Map<string, number>();
    for (const item of items) if (item.status === "pending") found.set(callOf(item), (found.get(callOf(item)) ?? 0) + 1);
    return found;
  }, [items]);
  const group = items.find((item) => chosen.has(item.approval_id));
  const toggle = (item: Approval) => {
    const next = new Set(chosen);
    if (!next.delete(item.approval_id)) next.add(item.approval_id);
    onChoose(next);
  };

  if (isLoading) return <Loading />;
  return (
    <div className="approvals-queue" ref={box} tabIndex={0} role="region" aria-label="Approvals">
      <ul style={{ height: virtual.getTotalSize() }}>
        {rows.map((row) => {
          const item = items[row.index]!;
          const same = isOpen(item) ? (alike.get(callOf(item)) ?? 1) : 1;
          const isOther = group !== undefined && callOf(group) !== callOf(item);
          return (
            <li key={item.approval_id} style={{ height: ROW_PX, transform: `translateY(${row.start}px)` }} data-current={item.approval_id === current || undefined}>
              {same > 1 && (
                <Checkbox size="xs" aria-label={`Decide ${item.approval_id} together with others like it`} title={isOther ? "Only identical calls are decided together" : undefined} disabled={isOther} checked={chosen.has(item.approval_id)} onChange={() => toggle(item)} />
              )}
              <UnstyledButton onClick={() => onOpen(item.approval_id)} aria-current={item.approval_id === current || undefined}>
                <Group gap={6} wrap="nowrap">
                  <RiskBadge risk={item.risk_level} />
                  <Text fw={600} size="sm" truncate>
                    {item.tool}
                  </Text>
                  {same > 1 && (
                    <Badge size="xs" variant="default" title={`${same} of the same call wait`}>
                      ×{same}
                    </Badge>
                  )}
                </Group>
                <Text size="xs" truncate ff="monospace">
                  {brief(item.arguments)}
                </Text>
                <Group gap={6} wrap="nowrap" justify="space-between">
                  <Text size="xs" c="dimmed" truncate>
                    {item.agent} for {item.requested_by}
                  </Text>
                  <Text size="xs" c="dimmed" style={{ flexShrink: 0 }} component="div">
                    {item.status === "pending" ? <Deadline ts={item.expires_ts} /> : isOpen(item) ? <StatusBadge status={item.status} /> : <Ago ts={item.requested_ts} />}
                  </Text>
                </Group>
              </UnstyledButton>
            </li>
          );
        })}
      </ul>
    </div>
  );
}

const BRIEF = 200;

/** The beginning of the arguments, in one line: the whole stands beside. */
function brief(value: unknown): string {
  const text = JSON.stringify(value) ?? "";
  return text.length > BRIEF ? `${text.slice(0, BRIEF)}…` : text;
}
