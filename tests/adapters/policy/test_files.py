"""Profiles are files, and what is wrong with them is told all at once."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from remit.adapters.policy.files import load_profiles
from remit.core.budget import Budget
from remit.core.errors import ConfigError

ALL = '@id("all")\npermit (principal, action, resource);\n'


def write(home: Path, toml: str, cedar: str = ALL) -> Path:
    home.mkdir(parents=True)
    (home / "profile.toml").write_text(toml)
    (home / "policy.cedar").write_text(cedar)
    return home


def test_the_packaged_profiles() -> None:
    """`default` has sane limits; `strict` extends it; there is no `open`."""
    profiles = load_profiles()
    assert set(profiles) == {"default", "strict"}
    assert profiles["default"].budget == Budget(
        max_cost_usd=Decimal("1.00"),
        max_model_calls=100,
        max_tool_calls=200,
        max_iterations=25,
        max_depth=3,
        max_children=20,
        max_wall_s=172_800.0,  # longer than an approval may wait
    )
    strict = profiles["strict"]
    assert strict.budget.max_cost_usd == Decimal("0.50")
    assert strict.budget.max_iterations == 25
    assert strict.cedar.startswith(profiles["default"].cedar)
    assert strict.digest.startswith("sha256:")
    assert strict.digest != profiles["default"].digest


def test_a_directory_or_a_directory_of_them(tmp_path: Path) -> None:
    """Both are found, and an own `default` replaces the packaged one."""
    write(tmp_path / "many" / "a", 'name = "a"\nextends = "strict"\nquorum = 2\napprover_roles = ["boss"]')
    write(tmp_path / "many" / "b", 'name = "b"\n[budget]\nmax_cost_usd = 2.5')
    own = write(tmp_path / "own", 'name = "default"\nredact = []', ALL.replace("all", "mine"))
    profiles = load_profiles([tmp_path / "many", own])
    assert set(profiles) == {"default", "strict", "a", "b"}
    assert (profiles["a"].quorum, profiles["a"].approver_roles) == (2, ("boss",))
    assert profiles["a"].approval_expires_s == 14_400.0
    assert profiles["b"].budget.max_cost_usd == Decimal("2.5")
    assert profiles["default"].redact == ()
    assert '@id("mine")' in profiles["strict"].cedar
    assert set(load_profiles([own], packaged=False)) == {"default"}


def test_everything_wrong_is_told_at_once_with_file_and_line(tmp_path: Path) -> None:
    """As `file:line: sentence`, for every file."""
    bad = write(
        tmp_path / "bad",
        'name = "bad"\nquorums = 2\nquorum = 0\nredact = ["all"]\n\n[budget]\nmax_cost_usd = "-1"\nmax_calls = 3\n',
        '// a comment with ; and "\n@id("x")\npermit (principal, action, resource)\nwhen {\n  context.risx > 3\n};\n'
        'permit (principal, action == Action::"no", resource);\n'
        '@id("x") permit (principal == ?principal, action, resource);\n'
        '@id("s;x//") permit (principal, action, resource) when { context.actor == "a;\\"b" };\n',
    )
    worse = write(
        tmp_path / "worse",
        "name = \n",
        ALL + '@id("y")\npermit (principal, action, resource)\nwhen { 1 >> 2 };',
    )
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError) as raised:
        load_profiles([bad, worse, tmp_path / "empty"])
    assert raised.value.code == "E220"
    lines = raised.value.message.splitlines()
    for start in (
        f"{bad}/profile.toml:2: `quorums` is not a setting here",
        f"{bad}/profile.toml:3: `quorum` is wrong",
        f"{bad}/profile.toml:4: `redact` is wrong",
        f"{bad}/profile.toml:7: `max_cost_usd` must be zero or more",
        f"{bad}/profile.toml:8: `max_calls` is not a setting here",
        f"{bad}/policy.cedar:7: the policy has no `@id",
        f"{bad}/policy.cedar:8: a template",
        f"{bad}/policy.cedar:8: `@id(x)` is used twice",
        f"{worse}/profile.toml:1: not valid TOML",
        f"{worse}/policy.cedar:5: the policy cannot be read from here",
        f"{tmp_path}/empty:1: the directory holds no `profile.toml`",
    ):
        assert any(line.startswith(start) for line in lines), (start, lines)


def test_the_schema_is_enforced_with_the_line_of_the_mistake(tmp_path: Path) -> None:
    """A misspelt attribute is told once, on its own line."""
    cedar = ALL + '@id("x")\npermit (principal, action, resource)\nwhen {\n  context.risx > 3\n};\n'
    home = write(tmp_path / "p", 'name = "p"', cedar)
    with pytest.raises(ConfigError) as raised:
        load_profiles([home])
    assert raised.value.message == f"{home}/policy.cedar:6: `x`: attribute `risx` not found"


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ('name = "p"\nextends = "nope"', "`extends` names `nope`"),
        ('name = "p"\nextends = "p"', "`extends` goes in a circle: p -> p"),
        ("quorum = 1", "`name` is missing"),
        ('name = "No Good"', "`name` is wrong"),
        ('name = "p"\napprover_roles = []', "`approver_roles` is wrong"),
        ('name = "p"\napproval_expires_s = 0', "`approval_expires_s` is wrong"),
        ('name = "p"\n[budget]\nmax_depth = -1', "`max_depth` is wrong"),
        ('name = "p"\n[budget]\nmax_cost_usd = nan', "`max_cost_usd`"),
    ],
)
def test_settings_are_checked(tmp_path: Path, toml: str, message: str) -> None:
    """Types, ranges, names and chains."""
    with pytest.raises(ConfigError, match=r"policy|profile") as raised:
        load_profiles([write(tmp_path / "p", toml)])
    assert message in raised.value.message


def test_ids_are_unique_along_a_chain(tmp_path: Path) -> None:
    """Or a decision could not say who decided."""
    home = write(tmp_path / "p", 'name = "p"\nextends = "default"', ALL.replace("all", "models-run"))
    with pytest.raises(ConfigError) as raised:
        load_profiles([home])
    assert "`@id(models-run)` is used in `default` too" in raised.value.message


def test_two_directories_cannot_hold_one_profile(tmp_path: Path) -> None:
    """Which of them decides must not depend on their order."""
    homes = [write(tmp_path / name, 'name = "p"') for name in ("a", "b")]
    with pytest.raises(ConfigError) as raised:
        load_profiles(homes)
    assert "profile `p` is already in" in raised.value.message
