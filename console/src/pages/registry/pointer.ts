/** The line (from 1) of a JSON text at which the value of each JSON pointer begins. Empty for a text that is no JSON. */
export function linesOf(text: string): Map<string, number> {
  const found = new Map<string, number>();
  let at = 0;
  let line = 1;
  const space = () => {
    while (at < text.length && " \t\r\n".includes(text[at]!)) {
      if (text[at] === "\n") line++;
      at++;
    }
  };
  const string = (): string => {
    const start = at++;
    while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
    at++;
    return JSON.parse(text.slice(start, at)) as string;
  };
  const value = (pointer: string) => {
    space();
    found.set(pointer, line);
    const opener = text[at];
    if (opener === '"') string();
    else if (opener === "{" || opener === "[") {
      at++;
      for (let index = 0; ; index++) {
        space();
        if (text[at] === "}" || text[at] === "]") break;
        let key = String(index);
        const keyLine = line;
        if (opener === "{") {
          key = string();
          space();
          at++; // the colon
        }
        const inner = `${pointer}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
        value(inner);
        if (opener === "{") found.set(inner, keyLine);
        space();
        if (text[at] === ",") at++;
      }
      at++;
    } else {
      while (at < text.length && !" \t\r\n,]}".includes(text[at]!)) at++;
    }
  };
  try {
    JSON.parse(text);
    value("");
  } catch {
    return new Map();
  }
  return found;
}

/** The line of a pointer, or of the nearest thing around it; 0 when nothing is known. */
export function lineOf(places: ReadonlyMap<string, number>, pointer: string): number {
  for (let path = pointer; path !== ""; path = path.slice(0, path.lastIndexOf("/"))) {
    const line = places.get(path);
    if (line !== undefined) return line;
  }
  return 0;
}
