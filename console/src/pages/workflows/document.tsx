import { Button, Group, SegmentedControl } from "@mantine/core";
import { useMemo } from "react";
import { Code, download, useUrlState } from "../../ui";
import { yamlOf } from "./yaml";

/** The document as text. */
export function Document({ document, name }: { document: Record<string, unknown>; name: string }) {
  const [{ text: form }, set] = useUrlState({ text: "yaml" });
  const isJson = form === "json";
  const text = useMemo(() => (isJson ? JSON.stringify(document, null, 2) : yamlOf(document)), [document, isJson]);
  return (
    <>
      <Group justify="space-between" mb="xs">
        <SegmentedControl size="xs" aria-label="Write it as" value={isJson ? "json" : "yaml"} onChange={(value) => set({ text: value })} data={[{ value: "yaml", label: "YAML" }, { value: "json", label: "JSON" }]} />
        <Button size="xs" variant="default" onClick={() => download(`${name}.asl.${isJson ? "json" : "yaml"}`, text, isJson ? "application/json" : "application/yaml")}>
          Download
        </Button>
      </Group>
      <Code text={text} label="document" maxHeight={900} />
    </>
  );
}
