"""What the pages of data quality and of the registry ask over HTTP: scores, proposals, numbers, rows, and looking around."""

from __future__ import annotations

from typing import Any

import pytest

from remit.core.validation import ValidationRun

API = "/api/v1"
WHY = {"reason": "because"}


@pytest.fixture
def adam(shared: Any) -> Any:
    """acme's administrator."""
    with shared.client("adam") as client:
        yield client


def table(client: Any, table_id: str, **fields: Any) -> None:
    body = {"location": f"{table_id}.parquet", **WHY, **fields}
    client.put(f"{API}/tables/{table_id}", json=body).raise_for_status()


def rule(table_id: str, **fields: Any) -> dict[str, Any]:
    parameters = {"source_table": table_id, **fields.pop("parameters", {})}
    return {
        "table_id": table_id,
        "validation_type": "row_counts",
        "parameters": parameters,
        **WHY,
        **fields,
    }


def create(client: Any, config_id: str, table_id: str, **fields: Any) -> None:
    body = {"config_id": config_id, **rule(table_id, **fields)}
    client.post(f"{API}/validations", json=body).raise_for_status()


def recorded(
    site: Any, run_id: str, config_id: str, table_id: str, status: str = "PASSED", **more: Any
) -> Any:
    """A line of acme's run log."""
    fields = {"details": {}, "triggered_by": "api", "timestamp": site.app.clock.now(), **more}
    run = ValidationRun(run_id, table_id, config_id, 1, "row_counts", status, **fields)  # type: ignore[arg-type]
    assert site.run(site.app.validation_runs.record("acme", run))
    return run


def walked(client: Any, path: str, key: Any, **query: Any) -> list[Any]:
    """One thing of every item of every page, two at a time."""
    found: list[Any] = []
    cursor = None
    while True:
        given = {**query, "limit": 2, **({"cursor": cursor} if cursor else {})}
        page = client.get(f"{API}{path}", params=given).raise_for_status().json()
        found += [key(item) for item in page["items"]]
        cursor = page["cursor"]
        if cursor is None:
            return found


def test_scores_come_page_by_page(shared: Any, adam: Any) -> None:
    """Tables by id, of one owner or by the beginning of their id; owners with all their tables."""
    for n, owner in enumerate(("una", "una", "ugo", "una", "")):
        table(adam, f"u{n}", owner=owner)
        create(adam, f"u{n}-rule", f"u{n}")
        recorded(shared, f"vr_u{n}", f"u{n}-rule", f"u{n}", "FAILED" if n == 3 else "PASSED")
    table(adam, "u9", active=False)

    def subject(score: Any) -> Any:
        return score["subject"], score["pass_rate"], score["failing"]

    assert walked(adam, "/scorecards/tables", subject, prefix="u") == [
        *((f"u{n}", 100.0, []) for n in range(3)),
        ("u3", 0.0, ["u3-rule"]),
        ("u4", 100.0, []),
    ]
    assert [s[0] for s in walked(adam, "/scorecards/tables", subject, owner="una")] == ["u0", "u1", "u3"]
    owners = {name: rest for name, *rest in walked(adam, "/scorecards/owners", subject)}
    assert owners["una"] == [66.67, ["u3-rule"]]
    assert owners["ugo"] == [100.0, []]
    whole = adam.get(f"{API}/scorecards").json()
    assert whole["cursor"] is None
    assert {"una", "ugo"} <= {s["subject"] for s in whole["owners"]}
    some = adam.get(f"{API}/scorecards", params={"limit": 2}).json()
    assert (len(some["tables"]), some["owners"]) == (2, [])
    assert some["cursor"]
    assert [t["table_id"] for t in adam.get(f"{API}/tables", params={"prefix": "u"}).json()["items"]] == [
        *(f"u{n}" for n in range(5)),
        "u9",
    ]


def test_a_proposal_is_accepted_or_refused(adam: Any) -> None:
    """It says what it would change; refused, it is archived with the reason and no longer waits."""
    table(adam, "p1")
    create(adam, "p1-old", "p1", parameters={"threshold_percent": 1})
    at = f"{API}/validations"
    adam.post(f"{at}/p1-old/drafts", json=rule("p1", parameters={"threshold_percent": 5})).raise_for_status()
    create(adam, "p1-new", "p1", draft=True)

    def waiting() -> dict[str, Any]:
        found = adam.get(f"{API}/proposals", params={"table_id": "p1"}).json()["items"]
        return {p["rule"]["config_id"]: p for p in found}

    proposed = waiting()
    assert sorted(proposed) == ["p1-new", "p1-old"]
    assert proposed["p1-new"]["active_version"] == 0
    assert (proposed["p1-old"]["active_version"], proposed["p1-old"]["rule"]["version"]) == (1, 2)
    assert proposed["p1-old"]["differences"] == [
        {"path": "/parameters/threshold_percent", "op": "changed", "old": 1, "new": 5}
    ]
    no = {"version": 2, "reason": "too lenient"}
    assert adam.post(f"{at}/p1-old/refuse", json={"version": 2}).status_code == 422, "it needs a reason"
    assert adam.post(f"{at}/p1-old/refuse", json=no).json()["status"] == "archived"
    assert adam.post(f"{at}/p1-old/refuse", json=no).status_code == 422
    assert adam.get(f"{at}/p1-old").json()["version"] == 1
    last = adam.get(f"{at}/p1-old/changes").json()["items"][0]
    assert (last["action"], last["author"], last["reason"]) == ("refuse", "adam", "too lenient")
    adam.post(f"{at}/p1-new/promote", json={"version": 1, **WHY}).raise_for_status()
    assert waiting() == {}


def test_a_draft_that_an_alias_stands_for_is_not_refused(adam: Any) -> None:
    """Who asks for the alias would otherwise get what was turned down."""
    at = f"{API}/definitions/prompt/kept-draft"
    adam.post(f"{at}/drafts", json={"spec": {"text": "a"}, **WHY}).raise_for_status()
    adam.put(f"{at}/aliases/next", json={"version": 1, **WHY}).raise_for_status()
    said = adam.post(f"{at}/refuse", json={"version": 1, **WHY})
    assert (said.status_code, said.json()["code"]) == (409, "E1040")
    adam.put(f"{at}/aliases/next", json={"version": 0, **WHY}).raise_for_status()
    assert adam.post(f"{at}/refuse", json={"version": 1, **WHY}).json()["status"] == "archived"
    assert adam.get(f"{at}/head").json()["active"]["version"] == 0


def test_the_numbers_of_a_rules_runs(shared: Any, adam: Any) -> None:
    """Every number of the details by its path; what is no number is left out."""
    table(adam, "s1")
    create(adam, "s1-rule", "s1")
    details = {
        "actual_count": 7,
        "diff_pct": 0.5,
        "exact": "12.50",
        "ok": True,
        "reason": "7 rows",
        "changed_columns": [["price", 3], ["note", 1]],
        "deep": {"a": {"b": 2}},
        "bad": float("1e300") * 10,
    }
    for n in range(3):
        recorded(shared, f"vr_s{n}", "s1-rule", "s1", details={**details, "actual_count": n}, duration_ms=n)
    values = walked(adam, "/validations/s1-rule/series", lambda p: p["values"])
    assert [v["actual_count"] for v in values] == [2, 1, 0]
    assert set(values[0]) == {
        "actual_count",
        "diff_pct",
        "exact",
        "changed_columns.price",
        "changed_columns.note",
        "deep.a.b",
        "bad",
    }
    assert values[0]["exact"] == 12.5
    assert adam.get(f"{API}/validations/none/series").status_code == 404


@pytest.mark.parametrize(
    ("kept", "rows"),
    [
        (
            [
                b'{"key":{"id":"1"},"change":"missing"}\n{"key":{"id":"2"},"change":"extra"}\n',
                b"id,change\n1,x\n",
            ],
            [{"key": {"id": "1"}, "change": "missing"}, {"key": {"id": "2"}, "change": "extra"}],
        ),
        (
            [b'customer_id,rows\n7,2\n"8, or so",1\n'],
            [{"customer_id": "7", "rows": "2"}, {"customer_id": "8, or so", "rows": "1"}],
        ),
        ([b"\x89PNG,\xff\n"], []),
        ([b'{"cut'], []),
        ([], []),
    ],
    ids=["json-lines", "csv", "bytes", "broken", "nothing"],
)
def test_the_rows_that_a_run_kept(shared: Any, adam: Any, request: Any, kept: list[bytes], rows: Any) -> None:
    """JSON lines before CSV, page by page; what is something else has no rows."""
    name = request.node.callspec.id
    digests = tuple(shared.run(shared.app.blobs.put(data)) for data in kept)
    gone = f"sha256:{'0' * 64}"
    recorded(shared, f"vr_{name}", "r-rule", "r1", "FAILED", artifacts=(*digests, gone))
    at = f"/validation-runs/vr_{name}/rows"
    assert walked(adam, at, lambda row: row) == rows
    page = adam.get(f"{API}{at}", params={"limit": 1}).json()
    assert (page["total"], page["gone"]) == (len(rows), 1)
    assert adam.get(f"{API}{at}", params={"cursor": "-1"}).status_code == 422
    with shared.client("zoe") as other:
        assert other.get(f"{API}{at}").status_code == 404, "another tenant's run"


def test_rules_are_proposed_on_request(shared: Any, adam: Any) -> None:
    """The agent that looks at the data is started, once for a request; who may only run may not have drafts written."""
    table(adam, "g1")
    said = adam.post(f"{API}/tables/g1/suggest", json={})
    assert said.status_code == 404, "this server has no such agent"
    assert "suggester" in said.json()["detail"]
    assert adam.post(f"{API}/tables/none/suggest", json={}).status_code == 404
    with shared.client("ana") as operator:
        assert operator.post(f"{API}/tables/g1/suggest", json={}).status_code == 403


def test_schedules_of_a_table(adam: Any) -> None:
    """By the beginning of their id."""
    for name in ("h1", "h10"):
        table(adam, name)
        create(adam, f"{name}-rule", name, schedule="every 3 hours")
    found = adam.get(f"{API}/schedules", params={"prefix": "validation/h1/"}).json()["items"]
    assert [s["schedule_id"] for s in found] == ["validation/h1/every 3 hours"]


def test_definitions_are_found_by_the_beginning_of_their_name(adam: Any) -> None:
    """Of one kind, or of all kinds, one after the other; and as they stood at a time."""
    for name in ("find-a", "find-b", "find-c"):
        adam.put(f"{API}/definitions/prompt/{name}", json={"spec": {"text": name}, **WHY}).raise_for_status()
    for name in ("find-a", "finder"):
        body = {"spec": {"instructions": "x"}, **WHY}
        adam.put(f"{API}/definitions/agent/{name}", json=body).raise_for_status()

    def named(head: Any) -> Any:
        return f"{head['kind']}/{head['name']}"

    everything = ["prompt/find-a", "prompt/find-b", "prompt/find-c", "agent/find-a", "agent/finder"]
    kinds = [k["kind"] for k in adam.get(f"{API}/definitions/kinds").json()["items"]]
    everything.sort(key=lambda n: kinds.index(n.partition("/")[0]))
    assert walked(adam, "/definitions", named, prefix="find") == everything
    assert walked(adam, "/definitions", named, prefix="find-", kind="prompt") == everything_of(
        everything, "prompt"
    )
    assert walked(adam, "/definitions", named, prefix="nothing-of-this") == []
    assert adam.get(f"{API}/definitions", params={"prefix": "f", "cursor": "nokind:"}).status_code == 422
    before = adam.get(f"{API}/definitions/prompt/find-a/head").json()["created_at"] - 1
    assert walked(adam, "/definitions", named, prefix="find", at=before) == []
    now = before + 10_000_000
    assert walked(adam, "/definitions", named, prefix="find", at=now) == everything


def everything_of(names: list[str], kind: str) -> list[str]:
    return [name for name in names if name.startswith(f"{kind}/")]


def test_what_stood_at_a_time_is_what_stood_then(adam: Any) -> None:
    """The head after the last change until then, whatever came later."""
    at = f"{API}/definitions/prompt/then"
    adam.put(at, json={"spec": {"text": "one"}, **WHY}).raise_for_status()
    then = adam.get(at).json()["updated_at"]
    while adam.get(f"{API}/definitions/prompt/then/head").json()["last"]["ts"] <= then:
        adam.put(at, json={"spec": {"text": "two"}, **WHY}).raise_for_status()
    (head,) = adam.get(f"{API}/definitions", params={"prefix": "then", "at": then}).json()["items"]
    assert head["last"]["ts"] <= then
    assert head["active"]["version"] < adam.get(at).json()["version"]


@pytest.mark.parametrize(
    ("kind", "spec", "path", "said"),
    [
        ("prompt", {"text": 7}, "/text", "Expected `str`"),
        ("agent", {"instructions": "x", "tools": ["a", 2]}, "/tools/1", "Expected `str`"),
        ("agent", {"instructions": {"prompt": "no_such"}}, "", "does not exist"),
        ("workflow", {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}}}, "/States/A/Next", "B"),
        ("prompt", {"text": "fine"}, None, ""),
    ],
    ids=["field", "element", "reference", "workflow", "fits"],
)
def test_a_body_is_checked_without_being_written(
    adam: Any, kind: str, spec: Any, path: str | None, said: str
) -> None:
    """Each mistake has its place, as far as that is known."""
    at = f"{API}/definitions/{kind}/only-checked"
    found = adam.post(f"{at}/check", json={"spec": spec}).raise_for_status().json()["items"]
    if path is None:
        assert found == []
    else:
        assert path in [m["path"] for m in found]
        assert any(said in m["message"] for m in found)
    assert adam.get(f"{at}/head").status_code == 404
    assert adam.post(f"{API}/definitions/nokind/x/check", json={"spec": {}}).status_code == 422


def test_definitions_are_exported_as_documents(adam: Any) -> None:
    """What `remit apply` takes: the active bodies with their switches and aliases; archived ones are left out."""
    at = f"{API}/definitions/prompt"
    adam.put(f"{at}/doc-a", json={"spec": {"text": "a"}, "comment": "c", **WHY}).raise_for_status()
    adam.post(f"{at}/doc-a/disable", json=WHY).raise_for_status()
    adam.put(f"{at}/doc-b", json={"spec": {"text": "b"}, **WHY}).raise_for_status()
    adam.post(f"{at}/doc-b/archive", json=WHY).raise_for_status()
    found = walked(adam, "/definitions/documents", lambda d: d, kind="prompt")
    mine = [d for d in found if d["name"].startswith("doc-")]
    assert mine == [
        {"kind": "prompt", "name": "doc-a", "spec": {"text": "a"}, "comment": "c", "enabled": False}
    ]


@pytest.mark.parametrize("who", ["vera", ""], ids=["viewer", "nobody"])
def test_looking_changes_nothing_and_changing_is_refused(shared: Any, who: str) -> None:
    """A viewer may look; without a key nothing is said."""
    with shared.client(who) as client:
        for path in (
            "/scorecards/tables",
            "/scorecards/owners",
            "/proposals",
            "/definitions/kinds",
            "/definitions/documents",
        ):
            assert client.get(f"{API}{path}").status_code == (200 if who else 401), path
        for path in ("/validations/x/refuse", "/definitions/prompt/x/refuse", "/definitions/prompt/x/check"):
            assert client.post(f"{API}{path}", json={}).status_code == (403 if who else 401), path
