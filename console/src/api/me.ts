import { createContext, useContext } from "react";

/** Who is signed in, and what their roles open. */
export interface Me {
  tenant_id: string;
  actor_id: string;
  roles: string[];
  scopes: string[];
}

export const MeContext = createContext<Me>({ tenant_id: "", actor_id: "", roles: [], scopes: [] });

/** Who is signed in. */
export function useMe(): Me {
  return useContext(MeContext);
}

/** Whether the roles of who is signed in open a scope: read, run, decide, audit, edit. The server asks again anyway. */
export function useCan(scope: string): boolean {
  return useMe().scopes.includes(scope);
}

/** Why a button is off, as its tooltip; undefined where it is on. */
export function whyNot(can: boolean, scope: string): string | undefined {
  return can ? undefined : `None of your roles may ${scope}.`;
}
