export { api, piece, urlOf, type Query } from "./client";
export { follow } from "./follow";
export { renew, tellProblem, useAct, useGet, usePages } from "./hooks";
export { useConnected, useLive, useLiveRows } from "./live";
export { MeContext, useCan, useMe, whyNot, type Me } from "./me";
export { asProblem, Problem } from "./problem";
export type { Schemas } from "./types";
