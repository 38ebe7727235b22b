import "@mantine/spotlight/styles.css";
import { Spotlight, spotlight, type SpotlightActionData } from "@mantine/spotlight";
import { useEffect, useState } from "react";
import { useLocation } from "wouter";
import { useGet, type Schemas } from "./api";
import { PLACES } from "./places";
import { Icon } from "./ui/icons";

/** Ctrl K: go to a page, an agent, a workflow, or to a run by its id. It opens each time `wanted` grows. */
export default function Palette({ wanted }: { wanted: number }) {
  useEffect(() => spotlight.open(), [wanted]);
  const [, go] = useLocation();
  const [query, setQuery] = useState("");
  const [isOpen, setOpen] = useState(false);
  const agents = useGet<Schemas["AgentPage"]>("/api/v1/agents", { limit: 200 }, { enabled: isOpen, staleTime: 60_000 });
  const workflows = useGet<{ items: { name: string }[] }>("/api/v1/workflows", { limit: 200 }, { enabled: isOpen, staleTime: 60_000 });
  const actions: SpotlightActionData[] = [
    ...PLACES.map((place) => ({ id: `page ${place.to}`, label: place.label, description: "page", leftSection: <Icon name={place.icon} size={18} />, onClick: () => go(place.to) })),
    ...(agents.data?.items ?? []).flatMap(({ name }) => [
      { id: `chat ${name}`, label: `Chat with ${name}`, description: "agent", onClick: () => go(`/chat?agent=${encodeURIComponent(name)}`) },
      { id: `runs ${name}`, label: `Runs of ${name}`, description: "agent", onClick: () => go(`/runs?agent=${encodeURIComponent(name)}`) },
    ]),
    ...(workflows.data?.items ?? []).map(({ name }) => ({ id: `workflow ${name}`, label: name, description: "workflow", onClick: () => go(`/workflows/${encodeURIComponent(name)}`) })),
  ];
  const id = query.trim();
  if (/^run_[\w.-]+$/.test(id)) actions.unshift({ id: "run", label: `Open run ${id}`, description: "run", onClick: () => go(`/runs/${encodeURIComponent(id)}`) });
  if (/^apr_\w+$/.test(id)) actions.unshift({ id: "approval", label: `Open approval ${id}`, description: "approval", onClick: () => go(`/approvals/${encodeURIComponent(id)}`) });
  return (
    <Spotlight
      actions={actions}
      query={query}
      onQueryChange={setQuery}
      onSpotlightOpen={() => setOpen(true)}
      onSpotlightClose={() => setOpen(false)}
      shortcut={null}
      nothingFound="Nothing of that name. A run is found by its id."
      highlightQuery
      limit={12}
      scrollable
      attributes={{ content: { "aria-label": "Search" } }}
      searchProps={{ placeholder: "Go to a page, agent, workflow or run id", "aria-label": "Search" }}
    />
  );
}
