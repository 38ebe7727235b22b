import { Autocomplete, Button, Checkbox, Group, SegmentedControl, Select, TextInput } from "@mantine/core";
import { memo, useEffect, useRef, useState } from "react";
import { BETWEEN, type Filters, FILTERS, PERIODS } from "./query";
import { useRunnable } from "./runnable";

const STATES = [
  { value: "", label: "All" },
  { value: "running", label: "Running" },
  { value: "waiting", label: "Waiting" },
  { value: "success", label: "Success" },
  { value: "failure", label: "Failure" },
];

const TYPED_MS = 300;

/** Which runs are shown. All of it is in the page's address. */
export const FilterBar = memo(function FilterBar({ filters, set }: { filters: Filters; set: (changes: Partial<Filters>) => void }) {
  const names = useRunnable().map((one) => one.name);
  const isFiltered = Object.entries(filters).some(([name, value]) => value !== FILTERS[name as keyof Filters]);
  return (
    <Group gap="xs" mb="sm" align="flex-end">
      <SegmentedControl size="xs" aria-label="Status" data={STATES} value={filters.status} onChange={(status) => set({ status })} />
      <Typed label="Agent or workflow" value={filters.agent} onChange={(agent) => set({ agent })} suggestions={names} />
      <Typed label="Session" value={filters.session} onChange={(session) => set({ session })} />
      <Select
        size="xs"
        w={140}
        aria-label="When"
        placeholder="Any time"
        clearable
        clearButtonProps={{ "aria-label": "Any time" }}
        data={[...PERIODS.map(({ value, label }) => ({ value, label })), { value: BETWEEN, label: "Between …" }]}
        value={filters.period || null}
        onChange={(period) => set({ period: period ?? "", since: "", until: "" })}
      />
      {filters.period === BETWEEN && (
        <>
          <TextInput size="xs" type="datetime-local" aria-label="Began at or after" value={filters.since} onChange={(event) => set({ since: event.currentTarget.value })} />
          <TextInput size="xs" type="datetime-local" aria-label="Began at or before" value={filters.until} onChange={(event) => set({ until: event.currentTarget.value })} />
        </>
      )}
      <Checkbox size="xs" label="Hide runs that others started" checked={filters.top === "1"} onChange={(event) => set({ top: event.currentTarget.checked ? "1" : "" })} style={{ alignSelf: "center" }} />
      {isFiltered && (
        <Button size="compact-xs" variant="subtle" onClick={() => set(FILTERS)} style={{ alignSelf: "center" }}>
          Clear
        </Button>
      )}
    </Group>
  );
});

interface TypedProps {
  label: string;
  value: string;
  onChange: (value: string) => void;
  suggestions?: string[];
}

/** A text that is taken once one stops typing. */
function Typed({ label, value, onChange, suggestions }: TypedProps) {
  const [text, setText] = useState(value);
  const take = useRef(onChange);
  take.current = onChange;
  useEffect(() => setText(value), [value]);
  useEffect(() => {
    if (text.trim() === value) return;
    const timer = setTimeout(() => take.current(text.trim()), TYPED_MS);
    return () => clearTimeout(timer);
  }, [text, value]);
  const common = { size: "xs", w: 170, placeholder: label, "aria-label": label, value: text } as const;
  return suggestions ? <Autocomplete {...common} data={suggestions} limit={20} onChange={setText} /> : <TextInput {...common} onChange={(event) => setText(event.currentTarget.value)} />;
}
