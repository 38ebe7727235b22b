import { Alert, Anchor, Breadcrumbs, Button, Center, Group, Loader, Stack, Text, Title } from "@mantine/core";
import { type ReactNode, useEffect } from "react";
import { asProblem } from "../api";
import { Ticks } from "./ticks";

/** The head of a page. `tab` is what the browser's tab says before "Remit"; the title when it is left out. */
export function PageHead({ title, tab, crumbs = [], actions }: { title: ReactNode; tab?: string; crumbs?: readonly { label: string; href: string }[]; actions?: ReactNode }) {
  const name = tab ?? (typeof title === "string" ? title : "");
  useEffect(() => {
    document.title = name ? `${name} | Remit` : "Remit";
  }, [name]);
  return (
    <Stack gap={4} mb="md">
      {crumbs.length > 0 && (
        <Breadcrumbs separatorMargin={6}>
          {crumbs.map((crumb) => (
            <Anchor key={crumb.href} href={`#${crumb.href}`} size="sm">
              {crumb.label}
            </Anchor>
          ))}
        </Breadcrumbs>
      )}
      <Group justify="space-between" gap="sm">
        <Title order={1} size={20} lineClamp={2} style={{ overflowWrap: "anywhere", minWidth: 0, flex: "1 1 320px" }}>
          {title}
        </Title>
        {actions && (
          <Group gap="xs" className="remit-actions">
            {actions}
          </Group>
        )}
      </Group>
    </Stack>
  );
}

/** Nothing is there: why, and what to do next. */
export function Empty({ title, children, action }: { title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <Center mih={180} p="lg">
      <Stack align="center" gap="xs" maw={560}>
        <Text fw={600}>{title}</Text>
        {children && (
          <Text size="sm" c="dimmed" ta="center" component="div">
            {children}
          </Text>
        )}
        {action}
      </Stack>
    </Center>
  );
}

/** An address that leads nowhere, and the way `to` what is near it. */
export function NoPage({ href, to }: { href: string; to: string }) {
  return (
    <>
      <PageHead title="There is no such page" />
      <Empty title="Nothing is at this address">
        <a href={href}>Go to {to}</a>
      </Empty>
    </>
  );
}

/** A refusal in place: its code, what it says, and what to do. */
export function ProblemNote({ problem, retry }: { problem: unknown; retry?: () => void }) {
  if (!problem) return null;
  const said = asProblem(problem);
  return (
    <Alert color="red" variant="light" title={[said.code, said.title].filter(Boolean).join(" · ")} role="alert" my="xs">
      <Stack gap="xs" align="flex-start">
        {said.detail && (
          <Text size="sm">
            <Ticks text={said.detail} />
          </Text>
        )}
        {said.help && (
          <Text size="sm" c="dimmed">
            <Ticks text={said.help} />
          </Text>
        )}
        {retry && (
          <Button size="xs" variant="default" onClick={retry}>
            Try again
          </Button>
        )}
      </Stack>
    </Alert>
  );
}

/** Something is being fetched. */
export function Loading({ label = "Loading" }: { label?: string }) {
  return (
    <Center mih={160}>
      <Loader size="sm" role="status" aria-label={label} />
    </Center>
  );
}
