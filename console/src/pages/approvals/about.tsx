import { Badge, Group, List, Paper, Stack, Text, Title, Tooltip } from "@mantine/core";
import { useState } from "react";
import type { Schemas } from "../../api";
import { Fact, StatusBadge } from "../../ui";

const TIERS = ["reads only", "bounded writes", "significant or privileged"];
const EFFECTS: Record<string, string> = {
  read: "it changes nothing",
  keyed: "sent again, it does nothing twice",
  lookup: "it can be asked whether it happened",
  plain: "it cannot be repeated safely",
};
const STANDINGS: Record<string, readonly [string, string]> = {
  trusted: ["green", "a person or a trusted tool said it"],
  untrusted: ["red", "nobody vouches for it"],
  composed: ["gray", "a model wrote it"],
};

/** The tool, and the run that wants to use it. */
export function About({ tool, run }: { tool: Schemas["ToolFacts"]; run: Schemas["AskingRun"] }) {
  return (
    <div className="approvals-about">
      <Paper withBorder p="sm">
        <Title order={3} size="h6" mb={6}>
          The tool
        </Title>
        <Stack gap={6}>
          <Fact name="Does">{tool.known ? tool.description || "It says nothing about itself." : "This tool no longer exists here."}</Fact>
          <Fact name="Tier">
            {tool.tier}: {TIERS[tool.tier]}
          </Fact>
          <Fact name="Repeated">{EFFECTS[tool.effect]}</Fact>
          <Fact name="Reaches out">{tool.outward ? "yes: it acts or speaks outside Remit" : "no"}</Fact>
        </Stack>
      </Paper>
      <Paper withBorder p="sm">
        <Group gap="xs" mb={6}>
          <Title order={3} size="h6">
            The run
          </Title>
          <StatusBadge status={run.status} />
        </Group>
        <Stack gap={6}>
          <Fact name="Objective">{run.objective || "none was given"}</Fact>
          <Fact name="Started by">{run.started_by}</Fact>
          <Fact name="Content">{run.legs.length > 0 ? run.legs.join("; ") : "it has read nothing untrusted and nothing private"}</Fact>
        </Stack>
        <Sources run={run} />
      </Paper>
    </div>
  );
}

const FEW = 6;

function Sources({ run }: { run: Schemas["AskingRun"] }) {
  const [isWhole, setWhole] = useState(false);
  const shown = isWhole ? run.sources : run.sources.slice(0, FEW);
  if (run.sources.length === 0) return null;
  return (
    <>
      <Text size="sm" c="dimmed" mt="xs">
        Where its content came from
      </Text>
      <List size="sm" listStyleType="none" spacing={4}>
        {shown.map((source) => {
          const [color, meaning] = STANDINGS[source.standing] ?? ["gray", ""];
          return (
            <List.Item key={`${source.name}${source.standing}${source.private}`}>
              <Group gap={6} wrap="nowrap" align="baseline">
                <Tooltip label={meaning}>
                  <Badge size="xs" variant="light" color={color} style={{ flexShrink: 0 }}>
                    {source.standing}
                  </Badge>
                </Tooltip>
                {source.private && (
                  <Badge size="xs" variant="light" color="grape" style={{ flexShrink: 0 }}>
                    private
                  </Badge>
                )}
                <Text size="sm" style={{ overflowWrap: "anywhere" }}>
                  {source.name.replaceAll("`", "")}
                </Text>
              </Group>
            </List.Item>
          );
        })}
      </List>
      {run.sources.length > FEW && (
        <Text size="xs" mt={4}>
          <button type="button" className="approvals-more" onClick={() => setWhole(!isWhole)}>
            {isWhole ? "fewer" : `${run.sources.length - FEW} more`}
          </button>
          {isWhole && (run.sources_left_out ?? 0) > 0 && ` and ${run.sources_left_out} that are not shown`}
        </Text>
      )}
    </>
  );
}
