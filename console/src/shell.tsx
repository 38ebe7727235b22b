import { ActionIcon, AppShell, Badge, Burger, Group, Indicator, NavLink, ScrollArea, Text, Tooltip, UnstyledButton, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { lazy, type ReactNode, Suspense, useEffect, useState } from "react";
import { useLocation } from "wouter";
import { useConnected, useGet, useLive, useMe } from "./api";
import { signOut } from "./api/signin";
import { PLACES } from "./places";
import { Boundary, useKeys } from "./ui";

const Palette = lazy(() => import("./palette"));
const KeysHelp = lazy(() => import("./ui/keys-help"));

/** The frame of every page: menu, who is signed in, theme, palette and keys. */
export function Shell({ children }: { children: ReactNode }) {
  useLive();
  const [isOpen, { toggle, close }] = useDisclosure();
  const [isHelp, help] = useDisclosure();
  const [wanted, setWanted] = useState(0);
  const openPalette = () => setWanted((times) => times + 1);
  const [path] = useLocation();
  const me = useMe();
  const isConnected = useConnected();
  useEffect(close, [path, close]);
  useKeys([
    { key: "?", label: "Show the keys", run: help.open },
    { key: "/", label: "Search pages, runs, agents", run: openPalette },
  ]);
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        openPalette();
      }
    };
    addEventListener("keydown", listen);
    return () => removeEventListener("keydown", listen);
  }, []);
  return (
    <AppShell header={{ height: 48 }} navbar={{ width: 190, breakpoint: "sm", collapsed: { mobile: !isOpen } }} padding="md">
      <AppShell.Header>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap">
          <Group gap="sm" wrap="nowrap">
            <Burger opened={isOpen} onClick={toggle} hiddenFrom="sm" size="sm" aria-label="Menu" />
            <UnstyledButton component="a" href="#/" aria-label="Remit, home">
              <Group gap={8} wrap="nowrap">
                <img src="./icon.svg" alt="" width={24} height={24} />
                <Text fw={700}>Remit</Text>
              </Group>
            </UnstyledButton>
            {!isConnected && (
              <Badge color="orange" variant="light" tt="none" radius="sm" role="status">
                not live: connecting again
              </Badge>
            )}
          </Group>
          <Group gap="xs" wrap="nowrap">
            <UnstyledButton onClick={openPalette} visibleFrom="xs" px={10} py={3} style={{ border: "1px solid var(--mantine-color-default-border)", borderRadius: 6 }}>
              <Text size="sm" c="dimmed">
                Search{" "}
                <Text span size="xs">
                  ctrl K
                </Text>
              </Text>
            </UnstyledButton>
            <ThemeButton />
            <ActionIcon variant="subtle" color="gray" onClick={help.open} aria-label="Keys">
              ?
            </ActionIcon>
            <Tooltip label={`${me.actor_id} in tenant ${me.tenant_id}; ${me.roles.join(", ") || "no role"}. Signs out.`}>
              <UnstyledButton onClick={() => void signOut()} aria-label={`Sign out ${me.actor_id}`}>
                <Badge variant="default" tt="none" radius="sm" maw={180}>
                  {me.actor_id}
                </Badge>
              </UnstyledButton>
            </Tooltip>
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" aria-label="Pages">
        <ScrollArea>
          <div>
            {PLACES.map((place) => (
              <NavLink key={place.to} href={`#${place.to}`} label={place.label} active={place.to === "/" ? path === "/" : path === place.to || path.startsWith(`${place.to}/`)} rightSection={place.to === "/approvals" ? <Waiting /> : undefined} className="remit-place" py={6} />
            ))}
          </div>
        </ScrollArea>
      </AppShell.Navbar>
      <AppShell.Main>
        <div id="page">{children}</div>
      </AppShell.Main>
      <Boundary>
        <Suspense fallback={null}>
          {wanted > 0 && <Palette wanted={wanted} />}
          <KeysHelp opened={isHelp} onClose={help.close} />
        </Suspense>
      </Boundary>
    </AppShell>
  );
}

/** How many approvals wait. */
function Waiting() {
  const { data } = useGet<{ items: unknown[]; cursor?: string | null }>("/api/v1/approvals", { status: "pending", limit: 50 }, { refetchInterval: 30_000 });
  const count = data?.items.length ?? 0;
  if (count === 0) return null;
  return <Indicator inline position="middle-center" size={18} label={data?.cursor ? `${count}+` : count} color="orange" aria-label={`${count} wait`} processing={false} />;
}

const NEXT = { auto: "light", light: "dark", dark: "auto" } as const;
const SIGN = { auto: "◐", light: "☀", dark: "☾" } as const;

function ThemeButton() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  useComputedColorScheme();
  return (
    <Tooltip label={`Theme: ${colorScheme}`}>
      <ActionIcon variant="subtle" color="gray" onClick={() => setColorScheme(NEXT[colorScheme])} aria-label={`Theme: ${colorScheme}; change it to ${NEXT[colorScheme]}`}>
        {SIGN[colorScheme]}
      </ActionIcon>
    </Tooltip>
  );
}
