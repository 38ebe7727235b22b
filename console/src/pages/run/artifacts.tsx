import { Anchor, Button, Group, Stack, Text } from "@mantine/core";
import { useEffect, useState } from "react";
import { api, piece, type Problem, type Schemas, useGet } from "../../api";
import { urlOf } from "../../api/client";
import { isRemote } from "../../api/session";
import { Empty, Loading, ProblemNote } from "../../ui";
import { runPath } from "./data";

type Artifact = Schemas["Artifact"];

const MOST_TEXT = 262_144;

/** What a run made. */
export function Artifacts({ run }: { run: string }) {
  const { data, error, refetch } = useGet<Schemas["ArtifactList"]>(runPath(run, "/artifacts"));
  if (error) return <ProblemNote problem={error} retry={() => void refetch()} />;
  if (!data) return <Loading />;
  if (data.items.length === 0) return <Empty title="This run made no artifact">Tools keep files with `context.keep(name, data, media_type)`; charts and reports appear here.</Empty>;
  return (
    <Stack>
      {data.items.map((artifact, place) => (
        <ArtifactOf key={`${artifact.digest}${place}`} run={run} artifact={artifact} />
      ))}
    </Stack>
  );
}

/** One artifact: what agents made is foreign, so a page is shown in a frame without an origin, and text as text. */
export function ArtifactOf({ run, artifact }: { run: string; artifact: Artifact }) {
  const [isShown, setShown] = useState(false);
  const kind = artifact.media_type.split(";")[0]!;
  const canShow = kind === "text/html" || kind.startsWith("image/") || kind.startsWith("text/") || kind === "application/json";
  return (
    <div className="run-message">
      <Group justify="space-between" gap="xs">
        <div style={{ minWidth: 0 }}>
          <Text size="sm" fw={600} style={{ overflowWrap: "anywhere" }}>
            {artifact.name}
          </Text>
          <Text size="xs" c="dimmed">
            {artifact.media_type} · {artifact.size.toLocaleString()} bytes{artifact.step && ` · ${artifact.step}`}
          </Text>
        </div>
        <Group gap="xs">
          {canShow && (
            <Button size="compact-xs" variant="default" onClick={() => setShown(!isShown)} aria-expanded={isShown}>
              {isShown ? "Hide" : "Show"}
            </Button>
          )}
          <Download run={run} artifact={artifact} />
        </Group>
      </Group>
      {isShown && <Content run={run} artifact={artifact} kind={kind} />}
    </div>
  );
}

function path(run: string, artifact: Artifact): string {
  return runPath(run, `/artifacts/${piece(artifact.digest)}`);
}

function Download({ run, artifact }: { run: string; artifact: Artifact }) {
  const [problem, setProblem] = useState<unknown>(null);
  const save = async () => {
    try {
      const url = URL.createObjectURL(await api.blob(path(run, artifact)));
      const link = document.createElement("a");
      link.href = url;
      link.download = artifact.name.split("/").at(-1) || "artifact";
      link.click();
      URL.revokeObjectURL(url);
    } catch (error) {
      setProblem(error);
    }
  };
  return (
    <>
      <Anchor component="button" size="sm" onClick={() => void save()}>
        Download
      </Anchor>
      <ProblemNote problem={problem} />
    </>
  );
}

function Content({ run, artifact, kind }: { run: string; artifact: Artifact; kind: string }) {
  if (kind === "text/html") {
    if (isRemote) return <Text size="sm" c="dimmed">Pages are shown only by the server that keeps them: download it.</Text>;
    return <iframe className="run-frame" sandbox="allow-scripts" referrerPolicy="no-referrer" loading="lazy" title={artifact.name} src={urlOf(path(run, artifact), { inline: true })} />;
  }
  return kind.startsWith("image/") ? <Picture run={run} artifact={artifact} kind={kind} /> : <TextOf run={run} artifact={artifact} />;
}

function Picture({ run, artifact, kind }: { run: string; artifact: Artifact; kind: string }) {
  const [url, setUrl] = useState("");
  const [problem, setProblem] = useState<Problem | null>(null);
  useEffect(() => {
    let made = "";
    let isGone = false;
    api.blob(path(run, artifact)).then(
      (blob) => {
        if (isGone) return;
        made = URL.createObjectURL(new Blob([blob], { type: kind }));
        setUrl(made);
      },
      (error: Problem) => setProblem(error),
    );
    return () => {
      isGone = true;
      if (made) URL.revokeObjectURL(made);
    };
  }, [run, artifact, kind]);
  if (problem) return <ProblemNote problem={problem} />;
  return url ? <img src={url} alt={artifact.name} style={{ maxWidth: "100%" }} /> : <Loading />;
}

function TextOf({ run, artifact }: { run: string; artifact: Artifact }) {
  const [text, setText] = useState<string | null>(null);
  const [problem, setProblem] = useState<unknown>(null);
  useEffect(() => {
    api.text(path(run, artifact)).then((found) => setText(found.slice(0, MOST_TEXT)), setProblem);
  }, [run, artifact]);
  if (problem) return <ProblemNote problem={problem} />;
  if (text === null) return <Loading />;
  return (
    <pre style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere", maxHeight: 420, overflow: "auto", fontSize: 12 }} tabIndex={0}>
      {text}
    </pre>
  );
}
