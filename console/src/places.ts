export interface Place {
  to: string;
  label: string;
  key: string;
}

/** Where one can go, in the order of the menu; `key` follows `g`. */
export const PLACES: readonly Place[] = [
  { to: "/", label: "Home", key: "h" },
  { to: "/runs", label: "Runs", key: "r" },
  { to: "/approvals", label: "Approvals", key: "a" },
  { to: "/chat", label: "Chat", key: "c" },
  { to: "/workflows", label: "Workflows", key: "w" },
  { to: "/quality", label: "Data quality", key: "q" },
  { to: "/registry", label: "Registry", key: "v" },
  { to: "/policies", label: "Policies", key: "p" },
  { to: "/cost", label: "Cost", key: "$" },
  { to: "/settings", label: "Settings", key: "s" },
];
