import { Select } from "@mantine/core";
import { useEffect, useState } from "react";
import { type Schemas, usePages } from "../../api";
import { Loading, PageHead, ProblemNote, UrlTabs, useUrlState } from "../../ui";
import { Ask } from "./ask";
import { Log } from "./log";
import { type Draft, Text } from "./text";
import { Tools } from "./tools";

type Profile = Schemas["PolicyProfile"];

/** What policy says: the text, what it makes of each tool, questions to it, and what it has decided. */
export default function Page() {
  const [{ profile }, set] = useUrlState({ profile: "default" });
  const { items, more, hasMore, isLoading, problem, refetch } = usePages<Profile>("/api/v1/policies", { limit: 200 });
  const [drafts, setDrafts] = useState<Record<string, Draft>>({});
  useEffect(() => {
    if (hasMore) more();
  }, [hasMore, more]);
  if (isLoading) return <Loading />;
  const chosen = items.find((one) => one.name === profile);
  const draft = drafts[profile];
  return (
    <>
      <PageHead
        title="Policies"
        actions={<Select size="xs" aria-label="Profile" searchable allowDeselect={false} w={260} data={items.map((one) => ({ value: one.name, label: one.source === "registry" ? `${one.name} (version ${one.version ?? 0})` : `${one.name} (from a folder)` }))} value={profile} onChange={(to) => to && set({ profile: to })} />}
      />
      <ProblemNote problem={problem} retry={refetch} />
      <UrlTabs
        tabs={[
          { value: "text", label: "Text", panel: <Text key={profile} name={profile} standing={chosen} draft={draft} onDraft={(next) => setDrafts((before) => ({ ...before, [profile]: next }))} /> },
          { value: "tools", label: "Tools", panel: <Tools profile={profile} /> },
          { value: "test", label: "Test a request", panel: <Ask profile={profile} draft={draft} /> },
          { value: "log", label: "Decisions", panel: <Log /> },
        ]}
      />
    </>
  );
}
