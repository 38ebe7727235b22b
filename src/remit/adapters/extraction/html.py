"""The text of an HTML page as a reader sees it: headings, lists and tables keep their shape, what is hidden is left out."""

from __future__ import annotations

import re
from typing import Any

from selectolax.lexbor import LexborHTMLParser

_SKIPPED = frozenset(
    "script style noscript template svg math canvas iframe object embed head nav select dialog".split()  # noqa: SIM905
)
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|(?:opacity|font-size)\s*:\s*0(?![.\d])",
    re.IGNORECASE,
)
_ITEMS = {
    "li": "\n- ",
    "br": "\n",
    "tr": "\n",
    "dt": "\n",
    "dd": "\n",
    "caption": "\n",
    "td": " | ",
    "th": " | ",
}
_BLOCKS = frozenset(
    """address article aside blockquote body details div dl fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 header
    hr main ol p pre section summary table ul""".split()  # noqa: SIM905
)
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\U000e0000-\U000e007f]"
)
"""Control characters, and those that hide text or turn it around."""


def html_text(markup: str) -> tuple[str, str]:
    """Title and text of a page. Broken markup never fails."""
    tree = LexborHTMLParser(markup)
    title = tree.css_first("head > title") or tree.css_first("h1")
    parts = "".join(_parts(tree.body)) if tree.body else ""
    lines = [" ".join(line.split()).removeprefix("| ") for line in _UNSEEN.sub("", parts).split("\n")]
    text = "\n".join("" if line in ("-", "|") or not line.strip("# ") else line for line in lines)
    name = _UNSEEN.sub("", title.text()) if title else ""
    return " ".join(name.split()), re.sub(r"\n{3,}", "\n\n", text).strip()


def _parts(root: Any) -> list[str]:
    """The texts below a node with what parts them. Walked without recursion: pages nest as deep as they like."""
    parts: list[str] = []
    waiting: list[Any] = [root.child]
    while waiting:
        node = waiting.pop()
        if isinstance(node, str):
            parts.append(node)
        elif node is not None:
            waiting.append(node.next)
            if node.tag == "-text":
                parts.append(_words(node))
            elif node.is_element_node and _is_shown(node):
                before, after = _around(node.tag)
                parts.append(before)
                waiting += [after, node.child]
    return parts


def _words(node: Any) -> str:
    text: str = node.text_content
    return text if node.parent is not None and node.parent.tag == "pre" else text.replace("\n", " ")


def _around(tag: str) -> tuple[str, str]:
    """What stands before and behind the text of an element."""
    if tag in _ITEMS:
        return _ITEMS[tag], ""
    if tag not in _BLOCKS:
        return "", ""
    heading = len(tag) == 2 and tag[1].isdigit()
    return ("\n\n" + "#" * int(tag[1]) + " " if heading else "\n\n"), "\n\n"


def _is_shown(node: Any) -> bool:
    given = node.attributes
    hidden = node.tag in _SKIPPED or "hidden" in given or given.get("aria-hidden") == "true"
    return not hidden and not _HIDDEN.search(given.get("style") or "")
