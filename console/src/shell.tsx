import { ActionIcon, AppShell, Badge, Burger, Group, Indicator, NavLink, ScrollArea, Text, Tooltip, UnstyledButton, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { lazy, type ReactNode, Suspense, useEffect, useState } from "react";
import { useLocation } from "wouter";
import { useConnected, useGet, useLive, useMe } from "./api";
import { signOut } from "./api/signin";
import { PLACES } from "./places";
import { Boundary, useKeys } from "./ui";
import { Icon } from "./ui/icons";

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
  useGoing();
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
            <UnstyledButton onClick={openPalette} visibleFrom="xs" className="remit-search">
              <Icon name="search" size={14} />
              <span>Search</span> <kbd>Ctrl K</kbd>
            </UnstyledButton>
            <ThemeButton />
            <ActionIcon variant="subtle" color="gray" onClick={help.open} aria-label="Keys">
              <Icon name="help" />
            </ActionIcon>
            <Tooltip label={`${me.actor_id} in tenant ${me.tenant_id}; ${me.roles.join(", ") || "no role"}. Signs out.`}>
              <UnstyledButton onClick={() => void signOut()} aria-label={`Sign out ${me.actor_id}`}>
                <Badge variant="default" tt="none" size="lg" fw={500} maw={180}>
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
              <NavLink key={place.to} href={`#${place.to}`} label={place.label} active={place.to === "/" ? path === "/" : path === place.to || path.startsWith(`${place.to}/`)} rightSection={place.to === "/approvals" ? <Waiting /> : undefined} leftSection={<Icon name={place.icon} />} className="remit-place" mt={place.isApart ? "md" : undefined} />
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

const GOING_MS = 2_000;

/** `g` and then the letter of a page goes there; the page that is left does not hear the letter. */
function useGoing() {
  const [isGoing, setGoing] = useState(false);
  const [, go] = useLocation();
  useKeys([{ key: "g", label: "Go to a page: then its letter", run: () => setGoing(true) }]);
  useEffect(() => {
    if (!isGoing) return;
    const listen = (event: KeyboardEvent) => {
      setGoing(false);
      const place = PLACES.find((one) => one.key === event.key);
      if (!place || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      go(place.to);
    };
    addEventListener("keydown", listen, { capture: true });
    const timer = setTimeout(() => setGoing(false), GOING_MS);
    return () => {
      clearTimeout(timer);
      removeEventListener("keydown", listen, { capture: true });
    };
  }, [isGoing, go]);
}

/** How many approvals wait. */
function Waiting() {
  const { data } = useGet<{ items: unknown[]; cursor?: string | null }>("/api/v1/approvals", { status: "pending", limit: 50 }, { refetchInterval: 30_000 });
  const count = data?.items.length ?? 0;
  if (count === 0) return null;
  return <Indicator inline position="middle-center" size={18} label={data?.cursor ? `${count}+` : count} color="orange" aria-label={`${count} wait`} processing={false} />;
}

const NEXT = { auto: "light", light: "dark", dark: "auto" } as const;

function ThemeButton() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  useComputedColorScheme();
  return (
    <Tooltip label={`Theme: ${colorScheme}`}>
      <ActionIcon variant="subtle" color="gray" onClick={() => setColorScheme(NEXT[colorScheme])} aria-label={`Theme: ${colorScheme}; change it to ${NEXT[colorScheme]}`}>
        <Icon name={colorScheme} />
      </ActionIcon>
    </Tooltip>
  );
}
