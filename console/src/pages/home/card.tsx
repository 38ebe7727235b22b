import { Anchor, Badge, Group, Paper, Text, Title } from "@mantine/core";
import type { ReactNode } from "react";
import { asProblem } from "../../api";

interface CardProps {
  title: string;
  /** How many there are; "5+" when there are more than were counted. */
  count: string;
  /** What is said when there are none. */
  calm: string;
  href: string;
  /** What the link to all of them says. */
  all: string;
  isLoading: boolean;
  problem?: unknown;
  color?: string;
  children?: ReactNode;
}

/** One kind of thing that may need a person: how many, the most pressing of them, and where the rest is. */
export function Card({ title, count, calm, href, all, isLoading, problem, color = "orange", children }: CardProps) {
  const isCalm = count === "0";
  return (
    <Paper withBorder p="sm" component="section" aria-label={title} mih={112}>
      <Group justify="space-between" mb="xs" wrap="nowrap">
        <Group gap="xs">
          <Title order={2} size="h5">
            {title}
          </Title>
          {!isLoading && !problem && !isCalm && (
            <Badge color={color} variant="filled" radius="sm">
              {count}
            </Badge>
          )}
        </Group>
        <Anchor href={`#${href}`} size="sm">
          {all}
        </Anchor>
      </Group>
      {problem ? (
        <Text size="sm" c="dimmed" style={{ overflowWrap: "anywhere" }}>
          {said(problem)}
        </Text>
      ) : isLoading ? (
        <Text size="sm" c="dimmed">
          Looking …
        </Text>
      ) : isCalm ? (
        <Text size="sm" c="dimmed">
          {calm}
        </Text>
      ) : (
        children
      )}
    </Paper>
  );
}

function said(problem: unknown): string {
  const { code, title, detail, help } = asProblem(problem);
  return [[code, detail || title].filter(Boolean).join(" "), help].filter(Boolean).join(" – ");
}

interface LineProps {
  href: string;
  text: string;
  right: ReactNode;
  left?: ReactNode;
}

/** One line of a card: what it is, and how pressing. */
export function Line({ href, text, right, left }: LineProps) {
  return (
    <Group justify="space-between" wrap="nowrap" gap="sm" py={3}>
      <Group gap="xs" wrap="nowrap" style={{ minWidth: 0 }}>
        {left}
        <Anchor href={`#${href}`} size="sm" c="inherit" title={text} style={{ overflow: "hidden", textOverflow: "ellipsis", whiteSpace: "nowrap" }}>
          {text}
        </Anchor>
      </Group>
      <Text size="sm" component="div" style={{ flexShrink: 0 }}>
        {right}
      </Text>
    </Group>
  );
}

export const SHOWN = 4;

/** How many there are, when a page of them and whether there are more is known. */
export function countOf(found: number, hasMore: boolean): string {
  return `${found}${hasMore ? "+" : ""}`;
}
