"""The audit: every change to a journal is found and located, and an export proves itself without Remit."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from remit.adapters.signing.ed25519 import Ed25519Signer
from remit.core import event as ev
from remit.core.agent import AgentSpec
from remit.core.budget import Budget, Usage
from remit.core.codec import digest, encode, genesis, link
from remit.core.errors import ConfigError, InputError, NotFoundError, StoreError
from remit.core.payload import pack
from remit.core.policy import Decision
from remit.core.provenance import Label
from remit.core.task import Actor, Artifact, Task
from remit.engine.audit import Anchor, Audit, parse_anchor
from remit.ports.clock import Clock
from remit.ports.store import Entry, RunHead, Store

RUN = "run_01"
VERIFIER = Path(__file__).parents[2] / "src" / "remit" / "data" / "verify_export.py"
LONG = "a long answer, ä ☃ " * 200


class Ledger:
    """The three reads that an audit makes, over lists that a test may damage."""

    def __init__(self, events: Sequence[ev.Data], contents: dict[str, bytes]) -> None:
        self.entries: list[Entry] = []
        self.stored = contents
        at = genesis(RUN)
        for seq, data in enumerate(events):
            body = encode(ev.Event(seq, 1_700_000_000_000 + seq, 1, data))
            at = link(at, body)
            self.entries.append(Entry(seq, body, at))
        self.last = self.entries[-1]

    async def read(self, run_id: str, *, after: int = -1, limit: int = 1000) -> list[Entry]:
        return sorted((e for e in self.entries if e.seq > after), key=lambda e: e.seq)[:limit]

    async def contents(self, digests: Sequence[str]) -> dict[str, bytes]:
        return {d: self.stored[d] for d in digests if d in self.stored}

    async def head(self, run_id: str) -> RunHead | None:
        if run_id != RUN:
            return None
        last = self.last
        return RunHead(RUN, "acme", RUN, "writer", "ended", last.seq, last.hash, 1, "", 0, None, 0, 0)


class FixedClock:
    def now(self) -> int:
        return 1_700_000_100_000


def ledger() -> Ledger:
    """A run that called one tool, which made a file and gave a long answer."""
    contents: dict[str, bytes] = {}
    task = Task("t1", "writer", "write it", tenant_id="acme", actor_context=Actor("ann"))
    events: list[ev.Data] = [
        ev.RunCreated(task, AgentSpec("writer"), "sha256:a", "default", "sha256:p", Budget()),
        ev.RunClaimed("w1", 1),
        ev.ModelAnswered(
            "m0", "rules-1", pack({"role": "assistant", "blocks": []}, contents), "tool_use", Usage()
        ),
        ev.ToolDecided("m0.0", "c1", "draw", "sha256:d", Decision("allow", ("read-tools",))),
        ev.EffectIntended("m0.0", "key"),
        ev.EffectDone(
            "m0.0",
            pack({"text": LONG}, contents),
            Label("tool:draw"),
            artifacts=(Artifact("plot.png", "sha256:" + "1" * 64, "image/png", 9, "m0.0"),),
        ),
        ev.RunFinished("success", pack("done", contents)),
    ]
    return Ledger(events, contents)


def audit(of: Ledger, tmp_path: Path) -> Audit:
    return Audit(cast(Store, of), cast(Clock, FixedClock()), Ed25519Signer(tmp_path / "home" / "audit.key"))


def flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


async def test_an_untouched_journal_verifies(tmp_path: Path) -> None:
    """All events are proved, and the report carries the head."""
    of = ledger()
    report = await audit(of, tmp_path).verify(RUN, "acme")
    assert (report.ok, report.events, report.size, report.first_bad_seq) == (True, 7, 7, None)
    assert report.head == of.last.hash.hex()


async def test_any_flipped_byte_is_found_at_its_event(tmp_path: Path) -> None:
    """Each single byte of each body and of each hash is covered."""
    of = ledger()
    check = audit(of, tmp_path)
    clean = list(of.entries)
    for seq, entry in enumerate(clean):
        changed = [Entry(seq, flip(entry.body, i), entry.hash) for i in range(len(entry.body))]
        changed += [Entry(seq, entry.body, flip(entry.hash, i)) for i in range(32)]
        for bad in changed:
            of.entries = [*clean[:seq], bad, *clean[seq + 1 :]]
            report = await check.verify(RUN, "acme")
            assert (report.ok, report.first_bad_seq, report.events) == (False, seq, seq)


def drop(of: Ledger) -> None:
    del of.entries[3]


def swap(of: Ledger) -> None:
    a, b = of.entries[3], of.entries[4]
    of.entries[3:5] = [Entry(3, b.body, b.hash), Entry(4, a.body, a.hash)]


def truncate(of: Ledger) -> None:
    del of.entries[3:]


def insert(of: Ledger) -> None:
    shifted = [Entry(e.seq + 1, e.body, e.hash) for e in of.entries[3:]]
    of.entries[3:] = [of.entries[3], *shifted]
    of.entries[3] = Entry(3, of.entries[2].body, of.entries[2].hash)


def renumber(of: Ledger) -> None:
    """Drop event 3 and close the gap, with fresh hashes and a fresh head: the bodies still know their numbers."""
    of.entries = [*of.entries[:3], *(Entry(e.seq - 1, e.body, e.hash) for e in of.entries[4:])]
    rehash(of)


def rehash_one(of: Ledger) -> None:
    """Change event 2 and its own hash: the next event gives it away."""
    body = of.entries[2].body.replace(b"rules-1", b"rules-2")
    of.entries[2] = Entry(2, body, link(of.entries[1].hash, body))


def rewrite_to_the_end(of: Ledger) -> None:
    """Change event 3 and every hash after it, but not the head."""
    head = of.last
    of.entries[3] = Entry(3, of.entries[3].body.replace(b"allow", b"never"), b"")
    rehash(of)
    of.last = head


def append_one(of: Ledger) -> None:
    body = encode(ev.Event(7, 0, 1, ev.RunFinished("failure")))
    of.entries.append(Entry(7, body, link(of.last.hash, body)))


def lose_content(of: Ledger) -> None:
    of.stored.clear()


def change_content(of: Ledger) -> None:
    (ref,) = of.stored
    of.stored[ref] = of.stored[ref].replace(b"long", b"tall", 1)


def rehash(of: Ledger) -> None:
    at = genesis(RUN)
    for i, entry in enumerate(of.entries):
        at = link(at, entry.body)
        of.entries[i] = Entry(entry.seq, entry.body, at)
    of.last = of.entries[-1]


@pytest.mark.parametrize(
    ("damage", "first_bad", "says"),
    [
        (drop, 3, "event 3 is missing"),
        (swap, 3, "does not match its hash"),
        (truncate, 3, "7 events by its head, and 3 are stored"),
        (insert, 3, "does not match its hash"),
        (renumber, 3, "says that it is event 4"),
        (rehash_one, 3, "does not match its hash"),
        (rewrite_to_the_end, 3, "cannot be read"),
        (append_one, 7, "7 events by its head, and 8 are stored"),
        (lose_content, 5, "is missing"),
        (change_content, 5, "was changed"),
    ],
)
async def test_damage_is_found_and_located(
    tmp_path: Path, damage: Callable[[Ledger], None], first_bad: int, says: str
) -> None:
    """Whatever is done to the journal or its contents, the first bad event is named; nothing is exported."""
    of = ledger()
    check = audit(of, tmp_path)
    damage(of)
    report = await check.verify(RUN, "acme")
    assert (report.ok, report.first_bad_seq) == (False, first_bad)
    assert says in report.reason
    with pytest.raises(StoreError, match=f"damaged at event {first_bad}"):
        await check.export(RUN, "acme")


async def test_a_full_rewrite_is_found_by_a_head_kept_elsewhere(tmp_path: Path) -> None:
    """A rewrite of chain and head agrees with itself; only a head from outside shows it."""
    of = ledger()
    kept = Anchor(3, of.entries[2].hash.hex())
    of.entries[2] = Entry(2, of.entries[2].body.replace(b"rules-1", b"rules-2"), b"")
    rehash(of)
    check = audit(of, tmp_path)
    assert (await check.verify(RUN, "acme")).ok
    report = await check.verify(RUN, "acme", anchor=kept)
    assert (report.ok, report.first_bad_seq) == (False, 2)
    longer = await check.verify(RUN, "acme", anchor=Anchor(9, "0" * 64))
    assert (longer.ok, longer.first_bad_seq) == (False, 7)


async def test_a_run_that_moves_on_while_it_is_read_verifies(tmp_path: Path) -> None:
    """An event appended between two reads is no damage."""
    of = ledger()
    later, of.entries = of.entries[5:], of.entries[:5]
    of.last = of.entries[-1]
    read = of.read

    async def growing(run_id: str, *, after: int = -1, limit: int = 1000) -> list[Entry]:
        batch = await read(run_id, after=after, limit=limit)
        if later:
            of.entries.append(later.pop(0))
            of.last = of.entries[-1]
        return batch

    of.read = growing  # type: ignore[method-assign]
    report = await audit(of, tmp_path).verify(RUN, "acme")
    assert (report.ok, report.events) == (True, 7)


@pytest.mark.parametrize(("run", "tenant"), [("run_02", "acme"), (RUN, "other")])
async def test_another_tenants_run_does_not_exist(tmp_path: Path, run: str, tenant: str) -> None:
    """Unknown and not yours look alike."""
    with pytest.raises(NotFoundError):
        await audit(ledger(), tmp_path).verify(run, tenant)


async def test_an_export_says_where_artifacts_came_from(tmp_path: Path) -> None:
    """Who asked, which agent, tool and model made it, and when (P11)."""
    (made,) = (await audit(ledger(), tmp_path).export(RUN, "acme"))["artifacts"]
    assert made["name"] == "plot.png"
    assert (made["actor"], made["agent"], made["tool"], made["model"]) == ("ann", "writer", "draw", "rules-1")
    assert (made["seq"], made["ts"]) == (5, 1_700_000_000_005)


def check_file(tmp_path: Path, document: Any, *options: str) -> tuple[int, str]:
    """Run the verifier the way an auditor does: without Remit, on the file alone."""
    file = tmp_path / "export.json"
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    command = [sys.executable, "-I", "-S", str(VERIFIER), str(file), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout + done.stderr


async def test_an_export_verifies_without_remit(tmp_path: Path) -> None:
    """The stdlib script accepts the file, also against the key and a head known from elsewhere."""
    document = await audit(ledger(), tmp_path).export(RUN, "acme")
    assert check_file(tmp_path, document)[0] == 0
    head = f"{document['head']['size']}:{document['head']['hash']}"
    early = f"3:{document['events'][2]['hash']}"
    for options in (["--public-key", document["public_key"]], ["--head", head], ["--head", early]):
        code, said = check_file(tmp_path, document, *options)
        assert (code, said[:4]) == (0, "GOOD")


def _edit(document: dict[str, Any]) -> None:
    document["events"][3]["body"] = document["events"][3]["body"].replace("allow", "deny!")


def _cut(document: dict[str, Any]) -> None:
    del document["events"][6]


def _remove(document: dict[str, Any]) -> None:
    del document["events"][3]


def _resign_head(document: dict[str, Any]) -> None:
    document["head"]["hash"] = "0" * 64


def _content(document: dict[str, Any]) -> None:
    (ref,) = document["contents"]
    document["contents"][ref] = {"text": "other"}


def _no_content(document: dict[str, Any]) -> None:
    document["contents"] = {}


def _more_content(document: dict[str, Any]) -> None:
    document["contents"][digest(b"x")] = {"text": "x"}


def _artifact(document: dict[str, Any]) -> None:
    document["artifacts"][0]["agent"] = "somebody"


def _time(document: dict[str, Any]) -> None:
    document["exported_ts"] += 1


def _signature(document: dict[str, Any]) -> None:
    document["signature"] = "AAAA" + document["signature"][4:]


def _key(document: dict[str, Any]) -> None:
    document["public_key"] = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"


def _not_ours(document: dict[str, Any]) -> None:
    document.pop("statement")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (_edit, "event 3 does not match its hash"),
        (_cut, "event 6 is missing"),
        (_remove, "event 3 is missing"),
        (_resign_head, "not the signed one"),
        (_content, "of event 5 was changed"),
        (_no_content, "of event 5 is missing"),
        (_more_content, "belongs to no event"),
        (_artifact, "does not say what was signed"),
        (_time, "does not say what was signed"),
        (_signature, "signature"),
        (_key, "the signature is wrong"),
        (_not_ours, "not a whole audit file"),
    ],
)
async def test_a_tampered_export_is_refused(
    tmp_path: Path, damage: Callable[[dict[str, Any]], None], says: str
) -> None:
    """Exit 1 and the first bad event, whatever part of the file was touched."""
    document = await audit(ledger(), tmp_path).export(RUN, "acme")
    damage(document)
    code, said = check_file(tmp_path, document)
    assert (code, said[:3]) == (1, "BAD")
    assert says in said


async def test_a_forger_with_another_key_is_caught_by_the_known_key(tmp_path: Path) -> None:
    """A whole forged file agrees with itself; the key known from elsewhere does not, nor does a kept head."""
    honest = await audit(ledger(), tmp_path).export(RUN, "acme")
    forged_ledger = ledger()
    forged_ledger.entries[3] = Entry(
        3, forged_ledger.entries[3].body.replace(b"read-tools", b"all--tools"), b""
    )
    rehash(forged_ledger)
    forged = await audit(forged_ledger, tmp_path / "forger").export(RUN, "acme")
    assert check_file(tmp_path, forged)[0] == 0
    code, said = check_file(tmp_path, forged, "--public-key", honest["public_key"])
    assert (code, "not with the one you gave" in said) == (1, True)
    code, said = check_file(tmp_path, forged, "--head", f"7:{honest['head']['hash']}")
    assert (code, "history was rewritten" in said) == (1, True)


async def test_a_key_given_twice_in_the_file_is_refused(tmp_path: Path) -> None:
    """Two readers must not see two different files."""
    text = json.dumps(await audit(ledger(), tmp_path).export(RUN, "acme"))
    code, said = check_file(tmp_path, text.replace('{"artifacts"', '{"run_id": "x", "artifacts"', 1))
    assert (code, "same key twice" in said) == (1, True)


def test_the_audit_key_is_private_and_kept(tmp_path: Path) -> None:
    """Made on first use, readable by its owner only, the same afterwards; a damaged one is not replaced."""
    path = tmp_path / "home" / "audit.key"
    key = Ed25519Signer(path).public_key()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["audit.key"]
    assert Ed25519Signer(path).public_key() == key
    path.write_text("zz")
    with pytest.raises(ConfigError, match="audit key"):
        Ed25519Signer(path).public_key()


def test_the_signature_is_ed25519_as_in_the_rfc(tmp_path: Path) -> None:
    """RFC 8032, section 7.1, test 2."""
    path = tmp_path / "audit.key"
    path.write_text("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    signer = Ed25519Signer(path)
    assert signer.public_key().hex() == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    assert signer.sign(b"\x72").hex().startswith("92a009a9f0d4cab8720e820b5f642540")


@pytest.mark.parametrize("text", ["", "7", "x:" + "0" * 64, "7:zz", "7:" + "g" * 64])
def test_a_head_must_look_like_one(text: str) -> None:
    """SIZE:HASH, or an error that says so."""
    with pytest.raises(InputError, match="is no head"):
        parse_anchor(text)
