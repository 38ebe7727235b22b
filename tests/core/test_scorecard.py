"""The scorecard: numbers from a run log, whatever its order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from remit.core.scorecard import DAY_MS, day_of, score
from remit.core.validation import ValidationRun

NOON = 20_000 * DAY_MS + DAY_MS // 2


def run(number: int, status: str, day: int = 0, config: str = "c1") -> ValidationRun:
    return ValidationRun(
        f"r{number}",
        "orders",
        config,
        1,
        "t",
        status,
        {},
        "api",
        NOON + day * DAY_MS + number,  # type: ignore[arg-type]
    )


RUNS = st.lists(
    st.builds(
        run,
        st.integers(0, 1000),
        st.sampled_from(["PASSED", "FAILED", "ERROR"]),
        st.integers(-5, 5),
        st.sampled_from(["a", "b"]),
    ),
    unique_by=lambda r: r.run_id,
)


def test_a_table_without_runs_has_no_rate() -> None:
    """Nothing ran: no rate, no trend, no history, nothing failing."""
    empty = score("orders", "table", [])
    assert (empty.runs, empty.pass_rate, empty.trend, empty.history, empty.failing) == (0, None, None, (), ())


def test_an_error_is_not_a_pass() -> None:
    """ERROR counts as not passed, and its rule is failing."""
    found = score("orders", "table", [run(1, "PASSED", config="a"), run(2, "ERROR", config="b")])
    assert (found.passed, found.failed, found.errors, found.pass_rate) == (1, 0, 1, 50.0)
    assert found.failing == ("b",)


def test_the_trend_is_the_last_day_less_the_mean_of_the_days_before() -> None:
    """100, 50 and then 0 per cent: 75 points down."""
    log = [run(1, "PASSED", 0), run(2, "PASSED", 1), run(3, "FAILED", 1), run(4, "FAILED", 2)]
    found = score("orders", "table", log)
    assert [rate for _, rate in found.history] == [100.0, 50.0, 0.0]
    assert found.trend == -75.0
    assert score("orders", "table", log[:1]).trend is None


def test_a_rule_that_passed_last_is_not_failing() -> None:
    """Only the newest run of a rule says whether it is failing now."""
    assert score("o", "table", [run(2, "PASSED"), run(1, "FAILED")]).failing == ()
    assert score("o", "table", [run(1, "PASSED"), run(2, "FAILED")]).failing == ("c1",)


def test_a_rule_that_no_longer_holds_is_not_failing() -> None:
    """What was deleted or switched off stays in the numbers and is not asked for again."""
    found = score(
        "o", "table", [run(1, "FAILED", config="gone"), run(2, "FAILED", config="here")], active={"here"}
    )
    assert (found.failed, found.failing) == (2, ("here",))


def test_days_are_those_of_utc() -> None:
    """A day ends at midnight UTC, wherever the process runs."""
    assert day_of(0) == "1970-01-01"
    assert day_of(DAY_MS - 1) == "1970-01-01"
    assert day_of(DAY_MS) == "1970-01-02"


@given(RUNS, st.randoms())
def test_the_order_of_the_runs_does_not_matter(runs: list[ValidationRun], dice) -> None:
    """The same runs give the same score; the counts add up; rates are per cents; days go up."""
    shuffled = list(runs)
    dice.shuffle(shuffled)
    found = score("o", "owner", runs)
    assert found == score("o", "owner", shuffled)
    assert found.passed + found.failed + found.errors == found.runs == len(runs)
    assert all(0 <= rate <= 100 for _, rate in found.history)
    assert [d for d, _ in found.history] == sorted({day_of(r.timestamp) for r in runs})
