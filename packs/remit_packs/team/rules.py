"""The offline `rules` model of the team: plain Python that plays each member from what tools answer, and says what it is.

It quotes sentences that share words with the question, counts words, and reviews the count. It is no language model: it neither
understands a question nor writes prose.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from remit.sdk import Message, ModelRequest, Rule, assistant
from remit_packs.listening import OFFLINE, Talk, handed_over, listen
from remit_packs.team.shapes import Analysis, Finding, Research, Verdict, Work

PAGES, QUOTES, TERMS = 3, 2, 6
"""Pages that are read, quotes taken from each, and words that are counted."""

_WORD = re.compile(r"[a-z][a-z-]{3,}")
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_COMMON = frozenset(
    """
    about after again also because been being between both cannot could does doing done each every from have having here into
    itself just like made make makes many more most much must need needs never only other over same shall should since some such
    than that their them then there these they this those through under until upon used uses very what when where whether which
    while will with within without would your
    """.split()  # noqa: SIM905  (a list of sixty literals would be sixty lines)
)

_COUNT = "Count how often each of these words occurs in the quotes, ignoring upper and lower case:"
_CASE = "count words whatever their case: lower the text first"


# researcher


def research(request: ModelRequest) -> Message | None:
    """Search, read the first pages, and quote the sentences that share most words with the question."""
    talk = listen(request)
    question = talk.said.partition("\n\nInput:")[0]
    found = talk.answers("web_search")
    if not _asked(talk, "web_search"):
        return talk.call(
            "I search for pages on the question.", "web_search", {"query": _query(question), "limit": 5}
        )
    hits = found[0]["hits"][:PAGES] if found else []
    read = talk.answers("fetch_page")
    tried = sum(step.tool == "fetch_page" for step in talk.steps)
    if tried < len(hits):
        hit = hits[tried]
        return talk.call(
            f"“{hit['title']}” may have the answer: I read it.", "fetch_page", {"url": hit["url"]}
        )
    findings = [finding for page in read for finding in _quoted(page, question)]
    return _answer(Research(findings))


def _quoted(page: Mapping[str, Any], question: str) -> list[Finding]:
    wanted = set(_words(question))
    lines = (line.strip() for line in page["text"].splitlines() if not line.startswith("#"))
    sentences = [s.strip() for line in lines for s in _SENTENCE.split(line) if 40 <= len(s.strip()) <= 400]
    fitting = [s for s in sentences if _shared(s, wanted)]
    best = sorted(fitting, key=lambda s: -_shared(s, wanted))[:QUOTES]
    return [Finding(f"{page['title']} says so.", sentence, page["url"]) for sentence in best]


def _shared(sentence: str, wanted: set[str]) -> int:
    return sum(any(word.startswith(want[:5]) for word in _words(sentence)) for want in wanted)


# analyst


def analyse(request: ModelRequest) -> Message | None:
    """Answer with the quotes, and have their most frequent words counted."""
    findings = handed_over(request).get("findings", [])
    if not findings:
        return _answer(
            Analysis(f"Nothing was found on it. {OFFLINE}", "Make a table of one row: `findings`, 0.")
        )
    counted = Counter(word for finding in findings for word in _words(finding["quote"]))
    terms = [word for word, _ in counted.most_common(TERMS)]
    said = " ".join(f"{finding['quote']} [{finding['source']}]" for finding in findings[:4])
    return _answer(
        Analysis(f"{said} These are quotes, not conclusions. {OFFLINE}", f"{_COUNT} {', '.join(terms)}.")
    )


# coder


def write_code(request: ModelRequest) -> Message | None:
    """Count words; what the reviewer sends back is mended."""
    talk, handed = listen(request), handed_over(request)
    code = _program(handed)
    if not talk.steps:
        trial = f"findings = {handed.get('findings', [])!r}\n{code}\ntable"
        return talk.call(
            "I try the program on the findings before I hand it in.", "run_python", {"code": trial}
        )
    return _answer(Work(code, "It counts words in the quotes."))


def _program(handed: Mapping[str, Any]) -> str:
    terms = _terms(str(handed.get("requirement", "")))
    if not terms:
        return 'table = {"columns": ["what", "number"], "rows": [["findings", len(findings)]]}'
    quote = 'finding["quote"].lower()' if _CASE in handed.get("fixes", []) else 'finding["quote"]'
    return "\n".join(
        (
            "import re",
            f"terms = {terms!r}",
            f'words = [word for finding in findings for word in re.findall(r"[A-Za-z][A-Za-z-]+", {quote})]',
            'table = {"columns": ["word", "times"], "rows": [[term, words.count(term)] for term in terms]}',
        )
    )


# reviewer


def review(request: ModelRequest) -> Message | None:
    """Approve when checking found nothing and the counts are right."""
    handed = handed_over(request)
    problems = list(handed.get("problems", []))
    if problems:
        return _answer(Verdict(False, [f"checking found {len(problems)} problems"], []))
    text = " ".join(finding["quote"] for finding in handed.get("findings", [])).lower()
    words = Counter(re.findall(r"[a-z][a-z-]+", text))
    rows = (handed.get("table") or {}).get("rows", [])
    wrong = [
        str(row[0])
        for row in rows
        if row[0] in _terms(str(handed.get("requirement", ""))) and words[row[0]] != row[1]
    ]
    if wrong:
        return _answer(Verdict(False, [f"the counts of {', '.join(wrong)} are not right"], [_CASE]))
    return _answer(Verdict(True, ["every quote is in its source, and the counts are right"]))


RULES: Mapping[str, Sequence[Rule]] = {
    "researcher": (research,),
    "analyst": (analyse,),
    "coder": (write_code,),
    "reviewer": (review,),
}


def _answer(value: Any) -> Message:
    return assistant(json.dumps(msgspec.to_builtins(value), ensure_ascii=False))


def _asked(talk: Talk, tool: str) -> bool:
    return any(step.tool == tool for step in talk.steps)


def _words(text: str) -> list[str]:
    return [word for word in _WORD.findall(text.lower()) if word not in _COMMON]


def _query(question: str) -> str:
    return " ".join(_words(question)[:12])[:200] or question[:200] or "agents"


def _terms(requirement: str) -> list[str]:
    _, told, words = requirement.partition(_COUNT)
    return [word.strip(" .") for word in words.split(",")] if told else []
