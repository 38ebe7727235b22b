import { Group, SegmentedControl } from "@mantine/core";
import type { Schemas } from "../../api";

const STATES: readonly (readonly [string, string])[] = [
  ["open", "Waiting"],
  ["approved", "Approved"],
  ["constrained", "Approved with changes"],
  ["rejected", "Rejected"],
  ["expired", "Expired"],
  ["cancelled", "Cancelled"],
  ["all", "All"],
];

/** Which approvals are listed, with how many there are of each. */
export function States({ state, counts, onChange }: { state: string; counts: readonly Schemas["Counted"][]; onChange: (state: string) => void }) {
  const of = (name: string) => {
    const counted = counts.filter((one) => (name === "open" ? one.status === "pending" || one.status === "info_requested" : one.status === name));
    const sum = counted.reduce((all, one) => all + one.count, 0);
    return sum ? ` ${sum}${counted.some((one) => one.more) ? "+" : ""}` : "";
  };
  return (
    <Group mb="sm">
      <SegmentedControl size="xs" aria-label="State" value={state} onChange={onChange} data={STATES.map(([value, label]) => ({ value, label: label + of(value) }))} style={{ flexWrap: "wrap", height: "auto" }} />
    </Group>
  );
}
