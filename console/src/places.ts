import type { IconName } from "./ui/icons";

export interface Place {
  to: string;
  label: string;
  key: string;
  icon: IconName;
  /** What the menu sets off from what stands before it. */
  isApart?: boolean;
}

/** Where one can go, in the order of the menu; `key` follows `g`. */
export const PLACES: readonly Place[] = [
  { to: "/", label: "Home", key: "h", icon: "home" },
  { to: "/runs", label: "Runs", key: "r", icon: "runs" },
  { to: "/approvals", label: "Approvals", key: "a", icon: "approvals" },
  { to: "/chat", label: "Chat", key: "c", icon: "chat" },
  { to: "/workflows", label: "Workflows", key: "w", icon: "workflows", isApart: true },
  { to: "/quality", label: "Data quality", key: "q", icon: "quality" },
  { to: "/registry", label: "Registry", key: "v", icon: "registry" },
  { to: "/policies", label: "Policies", key: "p", icon: "policies" },
  { to: "/cost", label: "Cost", key: "$", icon: "cost", isApart: true },
  { to: "/settings", label: "Settings", key: "s", icon: "settings" },
];
