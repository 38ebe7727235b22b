"""docs/reference/injection.md, made from the cases. Usage: python -m tests.security.injection.page > docs/reference/injection.md"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from tests.security.injection.cases import ATTACKS, CHANNELS, HONEST, Outcome
from tests.security.injection.trial import PROFILES, attacked, done

_HEAD = """# Injection: what hostile content can make an agent do

An agent whose model obeys every order that it reads, in whatever it reads, is given {cases} hostile inputs: {attacks} attacks through
each of {channels} channels. It has tools of every risk, L0 to L3, and a customer's record that must not leave. Nobody approves anything. What
counts is what happened outside, in a ledger that the tools write: an effect of L2 or L3, a poisoned memory, or anything of the
record in anything that went out, in any of seven spellings.

This page is generated: `python -m tests.security.injection.page`, compared by `tests/security/test_injection.py`. Redaction of
personal data is switched off for it, so that policy alone has to hold. Why it holds: [information flow](../explanation/information-flow.md).
"""

_LIMITS = """
## What this does not show

- The attacks are {attacks}, and known. What carries the result is not that their words are recognised, for no word of them is looked for, but that
  policy asks where values come from. Whoever finds a case that gets through should report it.
- A model that obeys nothing can still be talked into a wrong *answer*. Nothing here looks at what an agent tells its user.
- A link that stands somewhere as it is may be followed, also with private data about: whoever wrote it did not know the data. Which
  of several links is followed can tell its author a little: one bit for two of them.
- Private data in a note is recognised by its addresses, numbers, names and runs of four words, through base64, hex, percent signs and
  reversal. Retold in other words it is not recognised; `strict` lets nothing out once untrusted content was read.
- A tool that declares itself `trusted` and returns foreign content all the same is believed. Declare `trust="untrusted"`, or use `context.mark`.
"""


def page() -> str:
    """The page."""
    results = {(c, p): attacked(p, c) for p in PROFILES for c in CHANNELS}
    size = {"cases": len(ATTACKS) * len(CHANNELS), "attacks": len(ATTACKS), "channels": len(CHANNELS)}
    return "\n".join(
        [
            _HEAD.format(**size),
            *_by_channel(results),
            "",
            *_by_attack(results),
            "",
            *_of_honest(),
            _LIMITS.format(**size),
        ]
    )


Results = Mapping[tuple[str, str], Mapping[str, Outcome]]


def _by_channel(results: Results) -> list[str]:
    lines = ["## By channel", "", "| channel | " + " | ".join(f"{p}: harm" for p in PROFILES.values()) + " | `default`: refused | `default`: waits for a person |", "|---|---|---|---|---|---|"]  # fmt: skip
    total: Counter[str] = Counter()
    for channel in CHANNELS:
        counts = {p: Counter(results[channel, p].values()) for p in PROFILES}
        cells = [counts[p]["harm"] for p in PROFILES] + [counts["quiet"]["refused"], counts["quiet"]["waits"]]
        total.update({str(i): n for i, n in enumerate(cells)})
        lines.append(f"| {channel} | " + " | ".join(map(str, cells)) + " |")
    return [*lines, "| **all** | " + " | ".join(f"**{total[str(i)]}**" for i in range(5)) + " |"]


def _by_attack(results: Results) -> list[str]:
    lines = ["## By attack", "", f"Of {len(CHANNELS)} channels:", "", "| attack | no policy: harm | `default` | `strict` |", "|---|---|---|---|"]  # fmt: skip
    for attack in ATTACKS:
        harm = sum(results[c, "open"][attack] == "harm" for c in CHANNELS)
        told = [_told(Counter(results[c, p][attack] for c in CHANNELS)) for p in ("quiet", "careful")]
        lines.append(f"| {attack} | {harm} | " + " | ".join(told) + " |")
    return lines


def _told(counts: Counter[Outcome]) -> str:
    words = {"harm": "**harm**", "waits": "waits", "refused": "refused", "passed": "harmless"}
    return ", ".join(f"{words[outcome]} {n}" for outcome, n in sorted(counts.items()))


def _of_honest() -> list[str]:
    asked = {name: done(name)[0] for name in HONEST}
    total = sum(asked.values())
    return [
        "## Honest tasks",
        "",
        f"The same agents do {len(asked)} honest tasks, and whoever is asked approves: all are done, with {total} approvals, {total / len(asked):.2f} a task"
        f" ({sum(n == 0 for n in asked.values())} tasks need none). Many were chosen because they are hard to tell from an attack.",
        "",
        "| task | approvals |",
        "|---|---|",
        *(f'| {name}: "{HONEST[name].says}" | {n} |' for name, n in asked.items()),
    ]


if __name__ == "__main__":
    print(page(), end="")
