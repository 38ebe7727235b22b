import { type Query, type Schemas, useGet } from "../../api";

export type Report = Schemas["CostReport"];

/** What runs have cost; asked again soon while some that ended are not in it yet. */
export function useReport(by: string, asked: Query) {
  return useGet<Report>("/api/v1/costs", { ...asked, by }, { refetchInterval: ({ state }) => (state.data?.waiting ? 2_000 : 60_000), placeholderData: (before) => before });
}
