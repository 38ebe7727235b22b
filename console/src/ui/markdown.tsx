import { createElement, Fragment, type ReactNode, useMemo } from "react";
import "./json.css";
import { safeHref } from "./url";

/** What is drawn in the text instead of what a pattern (without groups) finds in it; code stays as it is. */
export interface Marks {
  pattern: string;
  draw: (found: string) => ReactNode;
}

/**
 * Markdown as models write it: headings, lists, quotes, code, tables, emphasis and links. It is read into elements, never into
 * HTML: tags in the text stay text, images are not loaded but named, and links lead to http, https or mailto only.
 */
export function Markdown({ text, marks }: { text: string; marks?: Marks }) {
  const blocks = useMemo(() => blocksOf(text, marks), [text, marks]);
  return <div className="remit-md">{blocks}</div>;
}

const FENCE = /^\s{0,3}(```+|~~~+)\s*([\w+-]*)\s*$/;
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;
const DIVIDER = /^\s*\|?\s*:?-{2,}:?\s*(\|\s*:?-{2,}:?\s*)*\|?\s*$/;

function blocksOf(text: string, marks?: Marks): ReactNode[] {
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  const made: ReactNode[] = [];
  let at = 0;
  const add = (node: ReactNode) => made.push(<Fragment key={made.length}>{node}</Fragment>);
  while (at < lines.length) {
    const line = lines[at]!;
    const fence = FENCE.exec(line);
    if (fence) {
      const end = lines.findIndex((other, index) => index > at && other.trim().startsWith(fence[1]!));
      const upto = end < 0 ? lines.length : end;
      add(
        <pre tabIndex={0}>
          <code>{lines.slice(at + 1, upto).join("\n")}</code>
        </pre>,
      );
      at = upto + 1;
      continue;
    }
    if (line.trim() === "") {
      at++;
      continue;
    }
    const heading = /^\s{0,3}(#{1,6})\s+(.*?)\s*#*$/.exec(line);
    if (heading) {
      add(createElement(`h${Math.min(heading[1]!.length + 2, 6)}`, {}, inline(heading[2]!, marks)));
      at++;
      continue;
    }
    if (/^\s{0,3}([-*_])(\s*\1){2,}\s*$/.test(line)) {
      add(<hr />);
      at++;
      continue;
    }
    if (/^\s{0,3}>/.test(line)) {
      const from = at;
      while (at < lines.length && /^\s{0,3}>/.test(lines[at]!)) at++;
      add(<blockquote>{blocksOf(lines.slice(from, at).map((quoted) => quoted.replace(/^\s{0,3}>\s?/, "")).join("\n"), marks)}</blockquote>);
      continue;
    }
    if (line.includes("|") && DIVIDER.test(lines[at + 1] ?? "")) {
      const from = at;
      at += 2;
      while (at < lines.length && lines[at]!.includes("|") && lines[at]!.trim() !== "") at++;
      add(tableOf(lines.slice(from, at), marks));
      continue;
    }
    if (ITEM.test(line)) {
      const from = at;
      while (at < lines.length && (ITEM.test(lines[at]!) || (/^\s+\S/.test(lines[at]!) && lines[at]!.trim() !== ""))) at++;
      add(listOf(lines.slice(from, at), marks));
      continue;
    }
    const from = at;
    while (at < lines.length && lines[at]!.trim() !== "" && !FENCE.test(lines[at]!) && !ITEM.test(lines[at]!) && !/^\s{0,3}(#{1,6}\s|>)/.test(lines[at]!)) at++;
    add(<p>{inline(lines.slice(from, Math.max(at, from + 1)).join("\n"), marks)}</p>);
    at = Math.max(at, from + 1);
  }
  return made;
}

function listOf(lines: readonly string[], marks?: Marks): ReactNode {
  const first = ITEM.exec(lines[0]!)!;
  const indent = first[1]!.length;
  const isOrdered = /\d/.test(first[2]!);
  const items: { text: string; inner: string[] }[] = [];
  for (const line of lines) {
    const item = ITEM.exec(line);
    if (item && (item[1]!.length <= indent || items.length === 0)) items.push({ text: item[3]!, inner: [] });
    else items.at(-1)!.inner.push(line.slice(Math.min(indent + 2, line.length - line.trimStart().length)));
  }
  const children = items.map((item, index) => (
    <li key={index}>
      {inline(item.text, marks)}
      {item.inner.length > 0 && blocksOf(item.inner.join("\n"), marks)}
    </li>
  ));
  return isOrdered ? <ol start={Number.parseInt(first[2]!, 10)}>{children}</ol> : <ul>{children}</ul>;
}

function tableOf(lines: readonly string[], marks?: Marks): ReactNode {
  const cells = (line: string) => line.trim().replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
  const head = cells(lines[0]!);
  return (
    <table>
      <thead>
        <tr>
          {head.map((cell, index) => (
            <th key={index}>{inline(cell, marks)}</th>
          ))}
        </tr>
      </thead>
      <tbody>
        {lines.slice(2).map((line, row) => (
          <tr key={row}>
            {cells(line)
              .slice(0, head.length)
              .map((cell, index) => (
                <td key={index}>{inline(cell, marks)}</td>
              ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

// Code, image, link, bare address, strong, emphasis, struck out. Each part is bounded, so that no text makes it slow.
const INLINE =
  /(`{1,3})([^\n]{1,2000}?)\1|!\[([^\]\n]{0,500})\]\(([^)\s]{1,2000})[^)\n]{0,300}\)|\[([^\]\n]{1,500})\]\(([^)\s]{1,2000})[^)\n]{0,300}\)|(https?:\/\/[^\s<>"'`)\]]{1,2000})|\*\*([^*\n]{1,2000})\*\*|(?<![*\w])[*_]([^*_\n]{1,1000})[*_](?!\w)|~~([^~\n]{1,1000})~~/g;

const patterns = new Map<string, RegExp>();

function withMarks({ pattern }: Marks): RegExp {
  const known = patterns.get(pattern) ?? new RegExp(`${INLINE.source}|(${pattern})`, "g");
  patterns.set(pattern, known);
  return known;
}

function inline(text: string, marks?: Marks): ReactNode[] {
  const made: ReactNode[] = [];
  let from = 0;
  for (const found of text.matchAll(marks ? withMarks(marks) : INLINE)) {
    if (found.index > from) made.push(...broken(text.slice(from, found.index), made.length));
    const key = `${made.length}i`;
    const [whole, , code, alt, source, label, href, bare, strong, emphasis, struck, mark] = found;
    if (code !== undefined) made.push(<code key={key}>{code}</code>);
    else if (source !== undefined) made.push(<Link key={key} href={source} label={`image: ${alt || source}`} />);
    else if (href !== undefined) made.push(<Link key={key} href={href} label={label ?? href} />);
    else if (bare !== undefined) {
      const address = bare.replace(/[.,;:!?]+$/, "");
      made.push(<Link key={key} href={address} label={address} />, bare.slice(address.length));
    } else if (strong !== undefined) made.push(<strong key={key}>{inline(strong, marks)}</strong>);
    else if (emphasis !== undefined) made.push(<em key={key}>{inline(emphasis, marks)}</em>);
    else if (struck !== undefined) made.push(<del key={key}>{inline(struck, marks)}</del>);
    else if (mark !== undefined) made.push(<Fragment key={key}>{marks!.draw(mark)}</Fragment>);
    from = found.index + whole.length;
  }
  if (from < text.length) made.push(...broken(text.slice(from), made.length));
  return made;
}

function broken(text: string, at: number): ReactNode[] {
  return text.split("\n").flatMap((line, index) => (index === 0 ? [line] : [<br key={`${at}b${index}`} />, line]));
}

function Link({ href, label }: { href: string; label: string }) {
  const safe = safeHref(href);
  if (!safe || safe.startsWith("#")) return <span>{label}</span>;
  return (
    <a href={safe} target="_blank" rel="noopener noreferrer nofollow" title={safe}>
      {label}
    </a>
  );
}
