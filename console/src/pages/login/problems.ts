import { Problem } from "../../api";

/** What went wrong at the provider, by the code that the address brings back: never by words of the address itself. */
const KNOWN: Record<string, [title: string, help: string]> = {
  E1055: ["The OpenID provider cannot be used", "Whoever runs this Remit finds the reason in the server's log."],
  E1056: ["That sign-in does not count", "It was cancelled, took too long, or belongs to another browser. Try again."],
  E1057: ["The provider knows you, but you have no role here", "Ask whoever runs this Remit to let one of your groups in."],
};

export function problemBack(code: string): Problem {
  const [title, help] = KNOWN[code] ?? ["The sign-in failed", "Try again."];
  return new Problem(0, code in KNOWN ? code : "", title, "", help);
}
