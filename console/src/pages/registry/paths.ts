import { piece } from "../../api";

export const DEFINITIONS = "/api/v1/definitions";
export const RULE_KIND = "table_validation";

/** Where the API has a definition. */
export function pathOf(kind: string, name: string): string {
  return `${DEFINITIONS}/${piece(kind)}/${piece(name)}`;
}

/** Where the console shows a definition. */
export function routeOf(kind: string, name: string): string {
  return `/registry/${piece(kind)}/${piece(name)}`;
}

/** What is stale after a change of a definition. */
export function touchedBy(kind: string, name: string): string[] {
  const rules = kind === RULE_KIND ? ["/api/v1/validations", "/api/v1/proposals", "/api/v1/scorecards", "/api/v1/schedules"] : [];
  return [DEFINITIONS, pathOf(kind, name), ...rules];
}
