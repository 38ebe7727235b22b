import { ActionIcon, Button, Group, Menu, Modal, Stack, Text, TextInput } from "@mantine/core";
import { memo, useState } from "react";
import { api, piece, type Schemas, useAct, useGet } from "../../api";
import { useConfirm } from "../../ui";
import { type Filters, FILTERS } from "./query";

type View = Schemas["SavedView"];

const PATH = "/api/v1/views";
const PAGE = "runs";

/** Filters under a name. They are the person's, not the browser's. */
export const SavedViews = memo(function SavedViews({ filters, set }: { filters: Filters; set: (changes: Partial<Filters>) => void }) {
  const { data } = useGet<Schemas["SavedViewList"]>(PATH);
  const views = data?.items.filter((view) => view.page === PAGE) ?? [];
  const [isNaming, setNaming] = useState(false);
  const confirm = useConfirm();
  const forget = useAct((view: View) => api.del(`${PATH}/${piece(view.name)}`), { touches: [PATH] });
  const current = views.find((view) => isSame(view, filters));
  const remove = async (view: View) => {
    const { ok } = await confirm({ title: `Forget the view "${view.name}"?`, action: "Forget it", danger: true });
    if (ok) await forget.run(view);
  };
  return (
    <>
      <Menu width={280} position="bottom-end">
        <Menu.Target>
          <Button size="xs" variant="default" maw={220}>
            {current ? `View: ${current.name}` : "Views"}
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          {views.length === 0 && (
            <Text size="sm" c="dimmed" p="xs">
              Filters that you use often can be kept under a name.
            </Text>
          )}
          {views.map((view) => (
            <Group key={view.name} gap={4} wrap="nowrap">
              <Menu.Item onClick={() => set({ ...FILTERS, ...known(view) })} style={{ overflow: "hidden", textOverflow: "ellipsis" }}>
                {view.name}
              </Menu.Item>
              <ActionIcon variant="subtle" color="gray" size="sm" onClick={() => void remove(view)} aria-label={`Forget the view ${view.name}`}>
                ×
              </ActionIcon>
            </Group>
          ))}
          <Menu.Divider />
          <Menu.Item onClick={() => setNaming(true)}>Save these filters …</Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <Modal opened={isNaming} onClose={() => setNaming(false)} title="Save these filters">
        {isNaming && <Naming filters={filters} taken={views} close={() => setNaming(false)} />}
      </Modal>
    </>
  );
});

function Naming({ filters, taken, close }: { filters: Filters; taken: readonly View[]; close: () => void }) {
  const [name, setName] = useState("");
  const save = useAct((as: string) => api.put<View>(`${PATH}/${piece(as)}`, { page: PAGE, query: given(filters) }), { done: (view) => `Saved as ${view.name}`, touches: [PATH] });
  const text = name.trim();
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (text) void save.run(text).then((kept) => kept && close());
      }}
    >
      <Stack>
        <TextInput label="Name" data-autofocus maxLength={80} value={name} onChange={(event) => setName(event.currentTarget.value)} error={text.includes("/") ? "Without a slash, please" : undefined} />
        <Group justify="flex-end">
          <Button type="submit" loading={save.busy} disabled={!text || text.includes("/")}>
            {taken.some((view) => view.name === text) ? "Replace" : "Save"}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function given(filters: Filters): Record<string, string> {
  return Object.fromEntries(Object.entries(filters).filter(([, value]) => value !== ""));
}

/** The filters of a view; what this console does not know is left out. */
function known(view: View): Partial<Filters> {
  return Object.fromEntries(Object.entries(view.query).filter(([name]) => name in FILTERS));
}

function isSame(view: View, filters: Filters): boolean {
  return JSON.stringify(Object.entries(given({ ...FILTERS, ...known(view) })).sort()) === JSON.stringify(Object.entries(given(filters)).sort());
}
