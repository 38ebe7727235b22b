import { piece } from "../../api";

export const VALIDATIONS = "/api/v1/validations";
export const RUNS = "/api/v1/validation-runs";
export const TABLES = "/api/v1/tables";
export const SCORES = "/api/v1/scorecards";
export const PROPOSALS = "/api/v1/proposals";
export const SCHEDULES = "/api/v1/schedules";
export const NOTIFIERS = "/api/v1/notifiers";

export const ruleRoute = (id: string) => `/quality/rules/${piece(id)}`;
export const tableRoute = (id: string) => `/quality/tables/${piece(id)}`;
export const rulePath = (id: string) => `${VALIDATIONS}/${piece(id)}`;
export const tablePath = (id: string) => `${TABLES}/${piece(id)}`;

/** What is stale after a change of a rule. */
export const TOUCHED = [VALIDATIONS, PROPOSALS, SCORES, SCHEDULES, "/api/v1/definitions"];
