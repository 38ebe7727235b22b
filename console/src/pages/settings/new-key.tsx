import { Alert, Button, Group, Modal, NativeSelect, Stack, TagsInput, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { api, type Schemas, useAct } from "../../api";
import { Code, ProblemNote } from "../../ui";

const ROLES = ["viewer", "operator", "approver", "editor", "auditor", "admin", "visitor"];
const LASTING = [
  { value: "30", label: "30 days" },
  { value: "90", label: "90 days" },
  { value: "365", label: "a year" },
  { value: "", label: "until somebody ends it" },
];

/** Make a key, and show its secret this once. */
export function NewKey({ opened, onClose, touches }: { opened: boolean; onClose: () => void; touches: readonly string[] }) {
  const [actor, setActor] = useState("");
  const [roles, setRoles] = useState<string[]>(["viewer"]);
  const [gates, setGates] = useState<string[]>([]);
  const [days, setDays] = useState("90");
  const [made, setMade] = useState<Schemas["NewKey"] | null>(null);
  const make = useAct(() => api.post<Schemas["NewKey"]>("/api/v1/keys", { actor_id: actor.trim(), roles, custom_roles: gates, days: days ? Number(days) : null }), { touches, quiet: true });
  const close = () => {
    setActor("");
    setRoles(["viewer"]);
    setGates([]);
    setDays("90");
    setMade(null);
    make.reset();
    onClose();
  };
  return (
    <Modal opened={opened} onClose={close} title={made ? "The key" : "Make a key"} closeOnClickOutside={made === null}>
      {made ? (
        <Stack>
          <Alert color="yellow" variant="light" title="Copy it now">
            It is not shown again: only its hash is kept.
          </Alert>
          <Code text={made.secret} label="the key" />
          <Group justify="flex-end">
            <Button onClick={close}>Done</Button>
          </Group>
        </Stack>
      ) : (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void make.run().then((key) => key && setMade(key));
          }}
        >
          <Stack>
            <TextInput label="Whose" description="Whom its calls count as, e.g. ana or nightly-import." value={actor} onChange={(event) => setActor(event.currentTarget.value)} required maxLength={128} data-autofocus />
            <TagsInput label="Roles" description="What it opens: pick, or write an approver role of your policy profile." data={ROLES} value={roles} onChange={setRoles} clearable={false} maxTags={20} />
            <TagsInput label="Other roles" description="Names that only an approval gate or a Cedar policy knows. They open nothing else." value={gates} onChange={setGates} maxTags={20} />
            <NativeSelect label="It lasts" data={LASTING} value={days} onChange={(event) => setDays(event.currentTarget.value)} />
            {roles.includes("admin") && (
              <Text size="sm" c="dimmed">
                With the role admin it may make and end keys, too.
              </Text>
            )}
            <ProblemNote problem={make.problem} />
            <Group justify="flex-end">
              <Button variant="default" onClick={close}>
                Cancel
              </Button>
              <Button type="submit" loading={make.busy} disabled={actor.trim() === "" || roles.length + gates.length === 0}>
                Make the key
              </Button>
            </Group>
          </Stack>
        </form>
      )}
    </Modal>
  );
}
