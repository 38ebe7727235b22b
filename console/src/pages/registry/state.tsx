import { Badge, Group } from "@mantine/core";
import type { Schemas } from "../../api";
import { StatusBadge } from "../../ui";

type Head = Schemas["Head"];

/** Where a definition stands, in a word. */
export function stateOf(head: Head): string {
  if (!head.active.version) return head.last.action === "draft" ? "draft" : "archived";
  return head.enabled ? "active" : "disabled";
}

export function State({ head }: { head: Head }) {
  return <StatusBadge status={stateOf(head)} />;
}

/** The aliases of a definition and the canary of its active version. */
export function Aliases({ head }: { head: Head }) {
  const named = aliasTexts(head);
  if (named.length === 0) return null;
  return (
    <Group gap={4} wrap="nowrap">
      {named.map((text) => (
        <Badge key={text} variant="default" radius="sm" tt="none">
          {text}
        </Badge>
      ))}
    </Group>
  );
}

/** `stable = 3`, `active: 10 % get 4`. */
export function aliasTexts(head: Head): string[] {
  const canary = (to: Schemas["Alias"]) => (to.canary ? `${to.canary_percent} % get ${to.canary}` : "");
  const named = Object.entries(head.aliases ?? {}).map(([name, to]) => [`${name} = ${to.version}`, canary(to)].filter(Boolean).join(", "));
  return head.active.canary ? [`active: ${canary(head.active)}`, ...named] : named;
}
