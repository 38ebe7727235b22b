/** A refusal of the API (`application/problem+json`), or that it could not be reached. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly title: string,
    readonly detail: string,
    readonly help: string,
  ) {
    super(detail || title);
    this.name = "Problem";
  }
}

/** Nobody answered: the server is down or the line is cut. */
export function unreachable(): Problem {
  return new Problem(0, "", "The server does not answer", "", "Start it with `remit up`, or check the line; this page tries again by itself.");
}

/** What a response that is not 2xx says. */
export async function problemOf(response: Response): Promise<Problem> {
  let said: Record<string, unknown> = {};
  try {
    said = (await response.json()) as Record<string, unknown>;
  } catch {
    // a proxy's page: the status has to do
  }
  const text = (name: string) => (typeof said[name] === "string" ? (said[name] as string) : "");
  return new Problem(response.status, text("code"), text("title") || `Refused (${response.status})`, text("detail"), text("help"));
}

/** Anything thrown, as a problem to show. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return new Problem(0, "", error instanceof Error ? error.message : String(error), "", "");
}
