"""Ids within a tenant: nothing that a tenant may write names another tenant's key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.errors import InputError
from remit.core.naming import check_id, own_id, stored_id

IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}", fullmatch=True)
TENANTS = st.one_of(st.just("local"), st.text(st.sampled_from("ab/.-_ä "), max_size=6))


@given(TENANTS, IDS, TENANTS, IDS)
def test_two_tenants_never_share_a_key(tenant: str, own: str, other: str, others: str) -> None:
    """Equal keys are of the same tenant and the same id, even where a tenant has `/` in its name."""
    assert (stored_id(tenant, own) == stored_id(other, others)) == ((tenant, own) == (other, others))
    assert own_id(tenant, stored_id(tenant, own)) == own


@pytest.mark.parametrize("wrong", ["", "a/b", "/a", "-a", ".a", "a b", "a\n", "ä", "a" * 129])
def test_what_could_reach_elsewhere_is_no_id(wrong: str) -> None:
    """No separators, no blanks, nothing that a key could end in by mistake."""
    with pytest.raises(InputError, match="is no `table_id`"):
        check_id("table_id", wrong)
