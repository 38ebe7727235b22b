/**
 * Markdown as elements. Nothing of it is ever read as HTML, images are not loaded, and links lead to http and https only.
 */
export function rendered(text: string): DocumentFragment {
  const made = document.createDocumentFragment();
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  for (let at = 0; at < lines.length; ) {
    const line = lines[at]!;
    if (line.trim() === "") {
      at++;
    } else if (/^\s{0,3}```/.test(line)) {
      const end = lines.findIndex((other, index) => index > at && /^\s{0,3}```/.test(other));
      const upto = end < 0 ? lines.length : end;
      const pre = add(made, "pre");
      pre.tabIndex = 0;
      add(pre, "code").textContent = lines.slice(at + 1, upto).join("\n");
      at = upto + 1;
    } else if (/^\s{0,3}#{1,6}\s/.test(line)) {
      inline(add(add(made, "p"), "strong"), line.replace(/^\s*#+\s*/, ""));
      at++;
    } else if (ITEM.test(line)) {
      const list = add(made, /^\s*\d/.test(line) ? "ol" : "ul");
      for (; at < lines.length && ITEM.test(lines[at]!); at++) inline(add(list, "li"), lines[at]!.replace(ITEM, ""));
    } else {
      const from = at;
      while (at < lines.length && lines[at]!.trim() !== "" && !/^\s{0,3}(```|#{1,6}\s)/.test(lines[at]!) && !ITEM.test(lines[at]!)) at++;
      inline(add(made, "p"), lines.slice(from, at).join("\n"));
    }
  }
  return made;
}

const ITEM = /^\s*(?:[-*+]|\d{1,9}[.)])\s+/;
// Code, image, link, bare address, strong, emphasis. Each part is bounded, so that no text makes it slow.
const INLINE = /`([^`\n]{1,2000})`|!\[([^\]\n]{0,500})\]\([^)\s]{1,2000}\)|\[([^\]\n]{1,500})\]\(([^)\s]{1,2000})\)|(https?:\/\/[^\s<>"'`)\]]{1,2000})|\*\*([^*\n]{1,2000})\*\*|(?<![*\w])[*_]([^*_\n]{1,1000})[*_](?!\w)/g;

function inline(parent: HTMLElement, text: string): void {
  let from = 0;
  for (const found of text.matchAll(INLINE)) {
    words(parent, text.slice(from, found.index));
    const [whole, code, alt, label, href, bare, strong, emphasis] = found;
    if (code !== undefined) add(parent, "code").textContent = code;
    else if (alt !== undefined) words(parent, alt);
    else if (href !== undefined) link(parent, href, label ?? href);
    else if (bare !== undefined) {
      const address = bare.replace(/[.,;:!?]+$/, "");
      link(parent, address, address);
      words(parent, bare.slice(address.length));
    } else if (strong !== undefined) add(parent, "strong").textContent = strong;
    else if (emphasis !== undefined) add(parent, "em").textContent = emphasis;
    from = found.index + whole.length;
  }
  words(parent, text.slice(from));
}

function link(parent: HTMLElement, href: string, label: string): void {
  if (!/^https?:\/\//i.test(href)) return words(parent, label);
  const made = add(parent, "a");
  made.href = href;
  made.target = "_blank";
  made.rel = "noopener noreferrer nofollow";
  made.textContent = label;
}

function words(parent: HTMLElement, text: string): void {
  text.split("\n").forEach((line, index) => {
    if (index > 0) add(parent, "br");
    if (line) parent.append(line);
  });
}

function add<K extends keyof HTMLElementTagNameMap>(parent: ParentNode, name: K): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  parent.append(made);
  return made;
}
