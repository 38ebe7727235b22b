import { Tabs, Text } from "@mantine/core";
import type { ReactNode } from "react";
import { useUrlState } from "./url";

export interface TabOf {
  value: string;
  label: string;
  count?: number;
  panel: ReactNode;
}

/** Tabs whose choice is in the URL under `name`. Panels are made only when they are looked at. */
export function UrlTabs({ name = "tab", tabs }: { name?: string; tabs: readonly TabOf[] }) {
  const [state, set] = useUrlState({ [name]: tabs[0]?.value ?? "" });
  const chosen = tabs.some((tab) => tab.value === state[name]) ? state[name]! : (tabs[0]?.value ?? "");
  return (
    <Tabs value={chosen} onChange={(value) => set({ [name]: value ?? "" })} keepMounted={false}>
      <Tabs.List mb="sm">
        {tabs.map((tab) => (
          <Tabs.Tab key={tab.value} value={tab.value} rightSection={tab.count ? <Text size="xs" c="dimmed">{tab.count}</Text> : undefined}>
            {tab.label}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      {tabs.map((tab) => (
        <Tabs.Panel key={tab.value} value={tab.value}>
          {tab.panel}
        </Tabs.Panel>
      ))}
    </Tabs>
  );
}
