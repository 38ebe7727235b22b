"""The Python builder: what it writes, what it refuses, and that what it writes runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from remit import END, START, Catch, Pack, Retry, Workflow, agent, field, result, tool, variable, when
from remit.core.errors import ConfigError
from remit.core.states.check import problems
from remit.testing.workflows import TaskFailure, run_document


@tool
def price(order_id: int) -> float:
    """The price of an order."""
    return 9.5


def ship(order_id: int) -> str:
    """Ship an order."""
    return f"shipped {order_id}"


@agent(name="writer")
def writer(input: Any) -> Any:
    """Writes."""
    return input


def chain() -> Workflow:
    """price, then ship."""
    flow = Workflow("order", description="prices and ships")
    flow.node("price", price, input={"order_id": field("id")}, into="price") >> flow.node(
        "ship", ship, input={"order_id": field("id")}, output={"said": result(), "price": field("price")}
    )
    return flow


def test_a_chain_is_a_document_in_jsonata() -> None:
    """Nodes become Tasks, edges `Next`, a node without one ends the workflow; nothing else is in the document."""
    assert chain().compile() == {
        "Comment": "prices and ships",
        "QueryLanguage": "JSONata",
        "StartAt": "price",
        "States": {
            "price": {
                "Type": "Task",
                "Resource": "remit:tool:price",
                "Arguments": {"order_id": "{% $states.input.id %}"},
                "Output": '{% $merge([$states.input, {"price": $states.result}]) %}',
                "Next": "ship",
            },
            "ship": {
                "Type": "Task",
                "Resource": "remit:tool:ship",
                "Arguments": {"order_id": "{% $states.input.id %}"},
                "Output": {"said": "{% $states.result %}", "price": "{% $states.input.price %}"},
                "End": True,
            },
        },
    }


def test_yaml_is_the_same_document() -> None:
    """What `to_yaml` gives is read as what `compile` gives."""
    assert yaml.safe_load(chain().to_yaml()) == chain().document


def test_a_workflow_brings_its_tools_agents_and_workflows() -> None:
    """A pack takes them from its workflows; a function is one tool, however many nodes it has."""
    inner = Workflow("inner")
    inner.node("write", writer)
    flow = Workflow("outer")
    flow.node("a", ship) >> flow.node("b", ship) >> flow.node("c", price) >> flow.node("d", inner)
    assert [t.spec.name for t in flow.tools] == ["ship", "price"]
    assert flow.workflows == (inner,)
    pack = Pack("p", workflows=[flow])
    assert [w.spec_name for w in pack.workflows] == ["outer", "inner"]
    assert [a.spec.name for a in pack.agents] == ["writer"]
    assert [t.spec.name for t in pack.tools] == ["ship", "price"]
    assert flow.document["States"]["d"]["Resource"] == "remit:workflow:inner"


def test_conditional_edges_choose_by_what_the_node_gave() -> None:
    """They become a Choice behind the node; END becomes a Succeed state."""
    flow = Workflow("w")
    flow.add_node("classify", "remit:agent:classifier")
    flow.add_node("refund", "remit:tool:refund")
    flow.set_entry_point("classify")
    flow.add_conditional_edges(
        "classify",
        {
            "{% $states.input.kind = 'refund' %}": "refund",
            (field("kind") == "spam") & ~field("order.id").exists(): END,
        },
        default="refund",
    )
    states = flow.compile()["States"]
    assert states["classify"]["Next"] == "after classify"
    assert states["after classify"]["Choices"] == [
        {"Condition": "{% $states.input.kind = 'refund' %}", "Next": "refund"},
        {
            "Condition": '{% ($states.input.kind = "spam") and ($not($exists($states.input.order.id))) %}',
            "Next": "END",
        },
    ]
    assert states["after classify"]["Default"] == "refund"
    assert states["END"] == {"Type": "Succeed"}


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (field("a.b") != 1, "$states.input.a.b != 1"),
        (field("a")["b c"][0] >= 1.5, "$states.input.a.`b c`[0] >= 1.5"),
        (field("and") < variable("most"), "$states.input.`and` < $most"),
        (field("a") <= None, "$states.input.a <= null"),
        (field("a") > True, "$states.input.a > true"),
        (field("a").is_in(["x", 'y"']), '$states.input.a in ["x", "y\\""]'),
        (field("a").contains("é"), '$contains($states.input.a, "é")'),
        ((result("x") == 1) | (field() == 2), "($states.result.x = 1) or ($states.input = 2)"),
    ],
)
def test_fields_compare_as_jsonata(condition: Any, text: str) -> None:
    """Each comparison is the JSONata of the same meaning; `when` gives it as the document has it."""
    assert condition.text == text
    assert when(condition) == f"{{% {text} %}}"


def test_a_condition_is_not_decided_by_python() -> None:
    """`and` between conditions would silently drop one: it is refused."""
    with pytest.raises(ConfigError, match="E680"):
        bool((field("a") == 1) and (field("b") == 2))


def test_retry_and_catch_are_the_documents() -> None:
    """Attempts are counted without the first; seconds are whole; every error comes last, as the language wants it."""
    flow = Workflow("w")
    done = flow.succeed("done")
    flow.node(
        "a",
        "remit:tool:a",
        retry={"States.ALL": Retry(attempts=2), "Busy": Retry(attempts=5, base_s=2, max_s=30)},
        catch={
            "States.ALL": done,
            "OutOfStock": Catch(done, output={"why": "{% $states.errorOutput.Cause %}"}, assign={"x": 1}),
        },
        timeout_s=2.5,
        heartbeat_s=1,
    )
    state = flow.compile()["States"]["a"]
    assert state["Retry"] == [
        {
            "ErrorEquals": ["Busy"],
            "IntervalSeconds": 2,
            "MaxAttempts": 4,
            "BackoffRate": 2,
            "JitterStrategy": "FULL",
            "MaxDelaySeconds": 30,
        },
        {
            "ErrorEquals": ["States.ALL"],
            "IntervalSeconds": 1,
            "MaxAttempts": 1,
            "BackoffRate": 2,
            "JitterStrategy": "FULL",
            "MaxDelaySeconds": 5,
        },
    ]
    assert [c["ErrorEquals"] for c in state["Catch"]] == [["OutOfStock"], ["States.ALL"]]
    assert state["Catch"][0]["Assign"] == {"x": 1}
    assert (state["TimeoutSeconds"], state["HeartbeatSeconds"]) == (3, 1)


def test_parallel_and_map_hold_their_bodies() -> None:
    """Chains become branches; what is no node yet becomes one; tolerated failures make a Map distributed."""
    flow = Workflow("w")
    both = flow.parallel("both", flow.node("a", price) >> flow.node("b", price), writer)
    both >> flow.map("each", items=field("lines"), body=ship, max_concurrency=5, tolerated_failures=2)
    states = flow.compile()["States"]
    assert [list(branch["States"]) for branch in states["both"]["Branches"]] == [["a", "b"], ["writer"]]
    assert states["each"]["Items"] == "{% $states.input.lines %}"
    assert states["each"]["ToleratedFailureCount"] == 2
    assert states["each"]["ItemProcessor"]["ProcessorConfig"]["Mode"] == "DISTRIBUTED"
    assert states["each"]["ItemProcessor"]["StartAt"] == "ship"


async def test_a_chain_runs() -> None:
    """The document runs as built."""
    ran = await run_document(
        chain().document, {"id": 7}, {"price": lambda event: 9.5, "ship": lambda event: event["order_id"]}
    )
    assert ran.output == {"said": 7, "price": 9.5}


def reviewed(max_rounds: int = 3, **options: Any) -> Workflow:
    """A text is written until it is good."""
    flow = Workflow("w")
    body = flow.node("write", "remit:tool:write", input={"round": variable("review_round")}) >> flow.node(
        "judge", "remit:tool:judge"
    )
    loop = flow.loop("review", body=body, until=field("good") == True, max_rounds=max_rounds, **options)  # noqa: E712
    flow.transform("begin") >> loop >> flow.transform("publish", output={"published": field("round")})
    return flow


def good_at(number: int) -> dict[str, Callable[[Any], Any]]:
    """Judges a text good from this round on."""
    return {
        "write": lambda event: event,
        "judge": lambda event: {"good": event["round"] >= number, "round": event["round"]},
    }


async def test_a_loop_ends_when_its_condition_holds() -> None:
    """The body runs again with its own output until `until` is true, and then the workflow goes on."""
    ran = await run_document(reviewed().document, {}, good_at(2))
    assert ran.output == {"published": 2}
    assert ran.path.count("write") == 2


async def test_a_loop_that_does_not_end_fails_after_its_rounds() -> None:
    """It runs `max_rounds` times exactly, and fails with a name of its own."""
    ran = await run_document(reviewed().document, {}, good_at(9))
    assert (ran.status, ran.error, ran.path.count("write")) == ("FAILED", "Remit.RoundsExhausted", 3)


async def test_a_loop_may_lead_on_when_its_rounds_are_used_up() -> None:
    """`exhausted` names the node for that."""
    ran = await run_document(reviewed(1, exhausted="publish").document, {}, good_at(9))
    assert ran.output == {"published": 1}


async def test_loops_within_loops_count_their_own_rounds() -> None:
    """The inner loop begins at one again in each round of the outer."""
    flow = Workflow("w")
    inner = flow.loop(
        "inner",
        body=flow.node("step", "remit:tool:step", input={"n": variable("inner_round")}),
        until=variable("inner_round") >= 2,
        max_rounds=5,
    )
    flow.loop("outer", body=inner, until=variable("outer_round") >= 3, max_rounds=5) >> END
    ran = await run_document(flow.document, {}, {"step": lambda event: event})
    assert ran.path.count("step") == 6
    assert ran.output == {"n": 2}


async def test_a_node_that_a_loop_leaves_by_does_not_return() -> None:
    """A Catcher inside a loop that leads to a node with its own edge leaves the loop."""

    def broken(event: Any) -> Any:
        raise TaskFailure("Broken")

    flow = Workflow("w")
    body = flow.node("try", "remit:tool:try", catch={"Broken": "sorry"})
    flow.loop("again", body=body, until="{% false %}", max_rounds=3) >> END
    flow.transform("sorry", output="sorry") >> END
    ran = await run_document(flow.document, {}, {"try": broken})
    assert (ran.output, ran.path) == ("sorry", ["again", "try", "sorry"])


def gated(**options: Any) -> dict[str, Any]:
    """A gate before shipping, with its answer given instead of asked for."""
    flow = Workflow("w")
    flow.gate("ask boss", message="Ship?", approver_roles=["boss"], **options) >> flow.transform("ship")
    flow.transform("reword", output="reworded")
    if "branches" not in options:
        flow.nodes.pop("reword")
    document = flow.compile()
    given = document["States"]["ask boss"]
    assert given["Resource"] == "remit:gate:ask_boss"
    assert given["Arguments"] == {"Message": "Ship?", "ApproverRoles": ["boss"]}
    document["States"]["ask boss"] |= {
        "Resource": "remit:tool:answer",
        "Arguments": "{% $states.input %}",
    }
    assert problems(document) == []
    return document


@pytest.mark.parametrize(
    ("decision", "branches", "outcome"),
    [
        ("approve", None, "SUCCEEDED"),
        ("constrain", None, "SUCCEEDED"),
        ("reject", None, "Remit.Rejected"),
        ("request-info", None, "Remit.Rejected"),
        ("expired", None, "Remit.Expired"),
        ("something else", None, "Remit.Rejected"),
        ("reject", {"reject": "reword"}, "reworded"),
        ("approve", {"reject": "reword"}, "SUCCEEDED"),
        ("expired", {"reject": "reword"}, "Remit.Expired"),
    ],
)
async def test_a_gate_lets_through_only_what_was_agreed_to(
    decision: str, branches: Any, outcome: str
) -> None:
    """Approve and constrain go on; other decisions go where `branches` says, and nowhere otherwise."""
    document = gated(**({"branches": branches} if branches else {}))
    ran = await run_document(document, {"decision": decision}, {"answer": lambda event: event})
    assert outcome in (ran.status, ran.error, ran.output)
    assert ("ship" in ran.path) == (outcome == "SUCCEEDED")


def two(build: Callable[[Workflow], Any]) -> Callable[[], Any]:
    """A case: a workflow with nodes `a` and `b`, and what is then done to it."""

    def case() -> Any:
        flow = Workflow("w")
        flow.node("a", "remit:tool:a")
        flow.node("b", "remit:tool:b")
        build(flow)
        return flow.compile()

    return case


@pytest.mark.parametrize(
    ("case", "code", "says"),
    [
        (two(lambda f: f.add_edge("a", "c")), "E682", "`c`, which is no node"),
        (two(lambda f: f.set_entry_point("a")), "E682", "node `b` is never reached"),
        (two(lambda f: None), "E682", "`a`, `b`"),
        (two(lambda f: (f.add_edge("a", "b"), f.add_edge("b", "a"), f.set_entry_point("a"))), "E682", "max_rounds"),
        (two(lambda f: f.node("a", "remit:tool:a")), "E681", "a node `a` already"),
        (two(lambda f: f.add_edge("z", "a")), "E681", "`z` is no node"),
        (two(lambda f: (f.add_edge("a", "b"), f.add_edge("a", END))), "E681", "another to"),
        (two(lambda f: f.node("c", "tool:c")), "E680", "`tool:c` of node `c`"),
        (two(lambda f: f.node("c", lambda x: x)), "E680", "nothing that node `c` can do"),
        (two(lambda f: f.node("c", "remit:tool:c", input={"x": object()})), "E680", "no JSON value"),
        (two(lambda f: f.node("c", "remit:tool:c", timeout_s=0)), "E683", "`timeout_s` of node `c`"),
        (two(lambda f: f.node("c", "remit:tool:c", into="x", output=1)), "E683", "both `into` and `output`"),
        (two(lambda f: f.loop("l", body="a", until="{% true %}", max_rounds=0)), "E683", "`max_rounds`"),
        (two(lambda f: f.loop("l", body="a", until="true", max_rounds=1)), "E683", "no JSONata"),
        (two(lambda f: f.add_conditional_edges("a", {})), "E683", "no conditions"),
        (two(lambda f: f.add_edge(f.succeed("s"), "a")), "E681", "node `s` cannot have an edge"),
        (two(lambda f: f.parallel("p")), "E683", "no branches"),
        (two(lambda f: (f.parallel("p", "a", "b"), f.add_edge("a", "b"))), "E682", "each node belongs to one"),
        (two(lambda f: (f.add_edge("a", "b"), f.loop("l", body="b", until="{% true %}", max_rounds=2), f.add_edge("b", "l"), f.set_entry_point("a"))), "E682", "max_rounds"),
        (two(lambda f: (f.add_edge("a", "b"), f.node("bad", "remit:tool:c", input="{% ( %}"), f.add_edge("b", "bad"))), "E682", "node `bad`"),
        (lambda: Workflow("no/slash"), "E680", "`no/slash`"),
        (lambda: Workflow("w").compile(), "E682", "no nodes"),
        (lambda: Workflow("w").wait("x"), "E683", "waits for nothing"),
        (lambda: variable("1x"), "E680", "`1x`"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_at_build_time(case: Callable[[], Any], code: str, says: str) -> None:
    """The error names the node, and says what to do."""
    with pytest.raises(ConfigError) as caught:
        case()
    assert caught.value.code == code
    assert says in str(caught.value)
    assert caught.value.help


def test_all_mistakes_are_told_at_once() -> None:
    """A workflow with two mistakes names both."""
    with pytest.raises(ConfigError, match="2 mistakes") as caught:
        two(lambda f: (f.add_edge(START, "a"), f.add_edge("a", "x")))()
    assert "`x`, which is no node" in caught.value.help
    assert "`b` is never reached" in caught.value.help


def test_two_tools_of_one_name_are_refused() -> None:
    """A name means one thing in a workflow."""
    flow = Workflow("w")
    flow.node("a", price)

    @tool(name="price")
    def other(x: int) -> int:
        """Another."""
        return x

    with pytest.raises(ConfigError, match="two different tools named `price`"):
        flow.node("b", other)


def test_a_node_of_another_workflow_is_refused() -> None:
    """Edges stay within a workflow."""
    one, other = Workflow("one"), Workflow("other")
    with pytest.raises(ConfigError, match="`b` is no node of workflow `one`"):
        one.node("a", price) >> other.node("b", price)


def test_an_index_inside_a_field_is_refused() -> None:
    """`field("a[0]")` would name a field that nothing has: the error says where the index goes."""
    with pytest.raises(ConfigError, match="E680"):
        field("passages[0]")
