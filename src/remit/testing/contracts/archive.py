"""What every archive keeps. Subclass `ArchiveContract`, give it the fixtures `archive` and `forge`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from remit.core.codec import genesis, link
from remit.core.errors import InputError, StoreError
from remit.ports.archive import Archive
from remit.ports.store import Entry

RUN = "run_01h00000000000000000000000"


def entries(count: int, run_id: str = RUN, text: str = "é ☃") -> list[Entry]:
    """Entries of a run, chained as a journal chains them."""
    made: list[Entry] = []
    at = genesis(run_id)
    for seq in range(count):
        body = f'{{"seq":{seq},"said":"{text}\\n"}}'.encode()
        at = link(at, body)
        made.append(Entry(seq, body, at))
    return made


class ArchiveContract:
    """The contract of `ports.archive.Archive`."""

    pytestmark = pytest.mark.asyncio

    @pytest.fixture
    def archive(self) -> Archive:
        """An empty archive."""
        raise NotImplementedError("override the fixture `archive`")

    @pytest.fixture
    def forge(self) -> Callable[[str, bytes], None]:
        """Writes bytes under a name within the archive, as somebody would who may write there."""
        raise NotImplementedError("override the fixture `forge`")

    async def test_what_was_kept_is_read_in_order(self, archive: Archive) -> None:
        """Bytes and hashes are those of the journal, whatever the order in which portions came."""
        all = entries(25)
        for start in (10, 0, 20):
            await archive.put("acme", RUN, all[start : start + 10])
        assert await archive.read("acme", RUN) == all

    async def test_keeping_again_changes_nothing(self, archive: Archive) -> None:
        """The same portion, also by many at once, and portions that overlap: each entry is there once."""
        all = entries(8)
        await asyncio.gather(*(archive.put("acme", RUN, all[:4]) for _ in range(4)))
        await archive.put("acme", RUN, all[2:8])
        await archive.put("acme", RUN, all[:4])
        await archive.put("acme", RUN, [])
        assert await archive.read("acme", RUN) == all

    async def test_other_entries_under_the_same_numbers_are_refused(self, archive: Archive) -> None:
        """Nothing that was kept is replaced."""
        await archive.put("acme", RUN, entries(3))
        with pytest.raises(StoreError) as raised:
            await archive.put("acme", RUN, entries(3, text="changed"))
        assert raised.value.code == "E659"
        assert await archive.read("acme", RUN) == entries(3)

    async def test_entries_that_differ_under_one_number_are_both_read(self, archive: Archive) -> None:
        """So that whoever compares them sees it."""
        await archive.put("acme", RUN, entries(3))
        await archive.put("acme", RUN, entries(2, text="changed"))
        assert [e.seq for e in await archive.read("acme", RUN)] == [0, 0, 1, 1, 2]

    async def test_entries_with_a_gap_are_refused(self, archive: Archive) -> None:
        """A portion is a piece of the journal."""
        all = entries(3)
        with pytest.raises(InputError):
            await archive.put("acme", RUN, [all[0], all[2]])

    @pytest.mark.parametrize("other", [("other", RUN), ("acme", f"{RUN}0"), ("acme", RUN[:-1])])
    async def test_runs_and_tenants_are_apart(self, archive: Archive, other: tuple[str, str]) -> None:
        """Also where one id begins with the other."""
        await archive.put("acme", RUN, entries(2))
        assert await archive.read(*other) == []

    @pytest.mark.parametrize(
        ("tenant", "run"), [("..", RUN), ("a/b", "c"), ("a", "../x"), ("a", "b/../../c")]
    )
    async def test_no_name_leads_out(self, archive: Archive, tenant: str, run: str) -> None:
        """Whatever tenants and runs are called, each has a place of its own."""
        await archive.put(tenant, run, entries(1))
        assert await archive.read(tenant, run) == entries(1)
        assert await archive.read("a", "b/c") == []

    async def test_what_is_no_entry_is_told(
        self, archive: Archive, forge: Callable[[str, bytes], None]
    ) -> None:
        """A file of somebody else's among the entries is not passed over."""
        await archive.put("acme", RUN, entries(1))
        forge(f"runs/acme/{RUN}/0000000001-0000000001.jsonl", b"no entries")
        with pytest.raises(StoreError) as raised:
            await archive.read("acme", RUN)
        assert raised.value.code == "E659"
