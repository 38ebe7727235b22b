import type { ReactNode } from "react";

/** Signs of 24 by 24, drawn in lines of the text's colour. Each stands beside its word, or in a button that has a name. */
const DRAWN = {
  home: <path d="M3 10.5 12 3l9 7.5V20a1 1 0 0 1-1 1h-5v-6H9v6H4a1 1 0 0 1-1-1z" />,
  runs: <path d="M4 6h10M8 12h12M4 18h8" />,
  approvals: <path d="m8.5 12 2.5 2.5 4.5-5M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18" />,
  chat: <path d="M20 4H4a1 1 0 0 0-1 1v15l4.5-4H20a1 1 0 0 0 1-1V5a1 1 0 0 0-1-1" />,
  workflows: <path d="M4 4h5v5H4zM15 15h5v5h-5zM6.5 9v6a2.5 2.5 0 0 0 2.5 2.5h6" />,
  quality: <path d="M4 20V10M10 20V4M16 20v-7M21 20H3" />,
  registry: <path d="m12 3 9 4.5-9 4.5-9-4.5zM3 12l9 4.5 9-4.5M3 16.5 12 21l9-4.5" />,
  policies: <path d="M12 3 4.5 6v5.5c0 4.5 3 8 7.5 9.5 4.5-1.5 7.5-5 7.5-9.5V6z" />,
  cost: <path d="M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18M14.8 9.2C14.3 8.4 13.3 8 12 8c-1.6 0-2.7.8-2.7 2s1 1.7 2.7 2 2.7.8 2.7 2-1.1 2-2.7 2c-1.3 0-2.3-.4-2.8-1.2M12 6.5V8M12 16v1.5" />,
  settings: <path d="M4 7h9M17 7h3M4 17h3M11 17h9M15 9.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5M9 19.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5" />,
  search: <path d="M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14M20.5 20.5 16 16" />,
  auto: <path d="M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18M12 3v18M12 7.5l6.3-1.5M12 12h9M12 16.5l6.3 1.5" />,
  light: <path d="M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8M12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4" />,
  dark: <path d="M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5" />,
  help: <path d="M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18M9.5 9.5a2.5 2.5 0 1 1 3.6 2.2c-.7.4-1.1.9-1.1 1.8M12 16.5v.1" />,
} satisfies Record<string, ReactNode>;

export type IconName = keyof typeof DRAWN;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth={1.75} strokeLinecap="round" strokeLinejoin="round" aria-hidden style={{ flexShrink: 0, display: "block" }}>
      {DRAWN[name]}
    </svg>
  );
}
