import { useEffect, useMemo } from "react";
import { useLocation, useParams } from "wouter";
import { type Schemas, useGet, usePages } from "../../api";
import { Empty, PageHead, ProblemNote, useKeys, useUrlState } from "../../ui";
import { Detail } from "./detail";
import { Queue } from "./queue";
import { States } from "./states";
import "./approvals.css";

type Approval = Schemas["Approval"];

const PAGE = 100;

/** What waits for a person, the first deadline on top, and beside it the one that is looked at. */
export default function Page() {
  const { id } = useParams<{ id?: string }>();
  const [, go] = useLocation();
  const [{ state, selected }, set] = useUrlState({ state: "open", selected: "" });
  const { items, more, hasMore, isLoading, problem, refetch } = usePages<Approval>("/api/v1/approvals", { status: state === "all" ? "" : state, limit: PAGE });
  const { data: counts } = useGet<Schemas["ApprovalCounts"]>("/api/v1/approvals/counts");
  const chosen = useMemo(() => new Set(selected ? selected.split(",") : []), [selected]);
  const at = items.findIndex((item) => item.approval_id === id);

  const open = (next: string | undefined) => next && go(`/approvals/${encodeURIComponent(next)}${state === "open" ? "" : `?state=${state}`}`);
  const walk = (by: number) => {
    const next = items[Math.min(Math.max(at + by, 0), items.length - 1)];
    open(next?.approval_id);
    if (at + by >= items.length - 5 && hasMore) more();
  };
  useKeys([
    { key: "j", label: "Next approval", run: () => walk(1), when: items.length > 0 },
    { key: "k", label: "Previous approval", run: () => walk(-1), when: items.length > 0 },
  ]);
  const first = items[0]?.approval_id;
  useEffect(() => {
    if (!id && first) go(`/approvals/${encodeURIComponent(first)}${location.hash.includes("?") ? `?${location.hash.split("?")[1]}` : ""}`, { replace: true });
  }, [id, first, go]);

  const choose = (ids: ReadonlySet<string>) => set({ selected: [...ids].join(",") });
  const next = items[at + 1]?.approval_id ?? items[at - 1]?.approval_id;
  return (
    <>
      <PageHead title="Approvals" tab={id ? "Approval" : "Approvals"} />
      <States state={state} counts={counts?.items ?? []} onChange={(to) => set({ state: to, selected: "" })} />
      <ProblemNote problem={problem} retry={refetch} />
      {!isLoading && !problem && items.length === 0 && !id ? (
        <Nothing state={state} />
      ) : (
        <div className="approvals">
          <Queue items={items} current={id} isLoading={isLoading} more={hasMore ? more : undefined} chosen={chosen} onChoose={choose} onOpen={open} />
          <section className="approvals-detail" aria-label="The approval">
            {id && <Detail key={id} id={id} chosen={chosen} onChoose={choose} onDecided={() => open(next)} onBatch={() => set({ selected: "" })} />}
          </section>
        </div>
      )}
    </>
  );
}

function Nothing({ state }: { state: string }) {
  return state === "open" ? (
    <Empty title="Nothing waits for a person">
      When policy wants a person for a call, or a workflow has a gate, it is asked here. <a href="#/policies?tab=tools">Which tools need approval, and why</a>
    </Empty>
  ) : (
    <Empty title={`No approval is ${state === "all" ? "there yet" : state.replaceAll("_", " ")}`}>Choose another state above.</Empty>
  );
}
