import { Anchor, Button, Group, Stack, Text } from "@mantine/core";
import { type Schemas, useGet } from "../../api";
import { base } from "../../api/session";
import { signOut } from "../../api/signin";
import { Fact, Loading, ProblemNote, When } from "../../ui";

/** What runs here, and who is asking. */
export function About() {
  const about = useGet<Schemas["About"]>("/api/v1/about", {}, { staleTime: 60_000 });
  const session = useGet<Schemas["Me"]>("/api/v1/session");
  const error = about.error ?? session.error;
  if (error) return <ProblemNote problem={error} retry={() => void Promise.all([about.refetch(), session.refetch()])} />;
  if (!about.data || !session.data) return <Loading />;
  const me = session.data;
  return (
    <Stack gap="xs" maw={720}>
      <Fact name="Remit">{about.data.version}</Fact>
      <Fact name="Python">{about.data.python}</Fact>
      <Fact name="Packs">{about.data.packs.join(", ") || "none"}</Fact>
      <Fact name="API">
        {base || location.origin} · <Anchor href={`${base}/openapi.json`} underline="always">openapi.json</Anchor>
      </Fact>
      <Fact name="You">
        {me.actor_id} in tenant {me.tenant_id}
      </Fact>
      <Fact name="Roles">{me.roles.join(", ") || "none"}</Fact>
      <Fact name="You may">{me.scopes.join(", ") || "nothing"}</Fact>
      {me.expires_ts && (
        <Fact name="Signed in until">
          <When ts={me.expires_ts} />
        </Fact>
      )}
      <Group mt="sm">
        <Button variant="default" size="xs" onClick={() => void signOut()}>
          Sign out
        </Button>
      </Group>
      <Text size="xs" c="dimmed" mt="md">
        Nothing that this console shows leaves the machines that Remit runs on.
      </Text>
    </Stack>
  );
}
