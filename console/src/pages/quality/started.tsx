import { Anchor } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { piece, renew, type Schemas, useGet } from "../../api";
import { StatusBadge } from "../../ui";

const ENDED = new Set(["success", "failure"]);

/** The run that somebody started here: how it stands, and when it has ended what it touched is fetched again. */
export function Started({ run, touches }: { run: string; touches: readonly string[] }) {
  const client = useQueryClient();
  const found = useGet<Schemas["RunView"]>(`/api/v1/runs/${piece(run)}`, {}, { enabled: run !== "", refetchInterval: ({ state }) => (state.data && ENDED.has(state.data.status) ? false : 700) });
  const status = found.data?.status ?? "";
  const hasEnded = ENDED.has(status);
  const paths = touches.join(" ");
  useEffect(() => {
    if (hasEnded) renew(client, paths.split(" "));
  }, [hasEnded, client, paths]);
  if (!run || !status) return null;
  return (
    <Anchor href={`#/runs/${piece(run)}`} size="sm" underline="always" aria-label={`the run: ${status}`}>
      run <StatusBadge status={status} />
    </Anchor>
  );
}
