import { Anchor, Button, Center, Code, Divider, Loader, Paper, PasswordInput, Stack, Text, Title } from "@mantine/core";
import { useEffect, useRef, useState } from "react";
import { asProblem, type Problem, type Schemas, useGet } from "../../api";
import { base, isRemote } from "../../api/session";
import { signIn, signInByCode } from "../../api/signin";
import { ProblemNote } from "../../ui";
import { problemBack } from "./problems";

/** Who are you: by an API key, the one-time link of `remit up`, or the OpenID provider. Shown in place of whatever was asked for. */
export default function Page({ onSignedIn }: { onSignedIn: () => void }) {
  const [key, setKey] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const query = useRef(new URLSearchParams(location.hash.split("?")[1] ?? ""));
  const { data: ways } = useGet<Schemas["Ways"]>("/api/v1/session/ways", {}, { enabled: !isRemote, retry: false });

  const enter = async (how: () => Promise<unknown>) => {
    setBusy(true);
    setProblem(null);
    try {
      await how();
      onSignedIn();
    } catch (error) {
      setProblem(asProblem(error));
      setBusy(false);
    }
  };
  useEffect(() => {
    document.title = "Sign in | Remit";
    if (!location.hash.startsWith("#/login")) return;
    const code = query.current.get("code");
    const back = query.current.get("problem");
    // A code works once, and neither belongs into the history.
    history.replaceState(null, "", "#/login");
    query.current = new URLSearchParams();
    if (back) setProblem(problemBack(back));
    if (code) void enter(() => signInByCode(code));
  }, []);

  return (
    <Center mih="100vh" p="md" component="main">
      <Paper withBorder p="xl" w="100%" maw={440}>
        <Stack gap="md">
          <Stack gap={4} align="center">
            <img src="./icon.svg" alt="" width={40} height={40} />
            <Title order={1} size="h3">
              Sign in to Remit
            </Title>
            {isRemote && (
              <Text size="sm" c="dimmed" ta="center" style={{ overflowWrap: "anywhere" }}>
                The API is at {base}
              </Text>
            )}
          </Stack>
          <ProblemNote problem={problem} />
          {ways?.oidc && (
            <>
              <Button component="a" href={`${base}/api/v1/session/oidc`} variant="default" fullWidth>
                Continue with {ways.oidc}
              </Button>
              <Divider label="or" />
            </>
          )}
          <form
            onSubmit={(event) => {
              event.preventDefault();
              void enter(() => signIn(key.trim()));
            }}
          >
            <Stack gap="sm">
              <PasswordInput label="API key" placeholder="remit_…" value={key} onChange={(event) => setKey(event.currentTarget.value)} autoComplete="current-password" spellCheck={false} required data-autofocus autoFocus visibilityToggleButtonProps={{ "aria-label": "Show the key" }} />
              <Button type="submit" loading={isBusy} disabled={key.trim() === ""} fullWidth>
                Sign in
              </Button>
            </Stack>
          </form>
          <Text size="sm" c="dimmed">
            {isRemote ? (
              "The key stays in this tab until it is closed; no cookie is set."
            ) : (
              <>
                On the machine that runs Remit, <Code>remit keys link</Code> prints a link that signs you in; <Code>remit keys create</Code> makes a key for somebody else.
              </>
            )}
          </Text>
          {isBusy && key === "" && (
            <Center>
              <Loader size="sm" role="status" aria-label="Signing in" />
            </Center>
          )}
          {!isRemote && (
            <Text size="xs" c="dimmed" ta="center">
              <Anchor href="./openapi.json" size="xs">
                The API's description
              </Anchor>
            </Text>
          )}
        </Stack>
      </Paper>
    </Center>
  );
}
