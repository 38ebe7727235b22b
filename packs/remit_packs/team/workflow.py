"""The team's way of working: researcher, analyst, coder, reviewer; the reviewer sends work back to the coder, or ends."""

from __future__ import annotations

from remit import END, Catch, Workflow, field, variable
from remit_packs.team.agents import ANALYST_AGENT, CODER_AGENT, RESEARCHER_AGENT, REVIEWER_AGENT
from remit_packs.team.checking import checker
from remit_packs.team.reporting import write_report
from remit_packs.tools.charts import draw_chart

ROUNDS = 4

flow = Workflow(
    "research-team",
    description="Answers a question with sources, a calculated table, a chart and a report; reviewed before it is handed in.",
)
research = flow.node(
    "research",
    RESEARCHER_AGENT,
    input={
        "objective": field("objective"),
        "input": "{% $exists($states.input.context) ? $states.input.context : {} %}",
    },
    assign={"question": field("objective"), "findings": "{% $states.result.findings %}"},
)
analyse = flow.node(
    "analyse",
    ANALYST_AGENT,
    input={"objective": variable("question"), "input": {"findings": variable("findings")}},
    assign={"answer": "{% $states.result.answer %}", "requirement": "{% $states.result.requirement %}"},
    output={"fixes": "{% [] %}"},
)
code = flow.node(
    "code",
    CODER_AGENT,
    input={
        "objective": "Write the program.",
        "input": {
            "requirement": variable("requirement"),
            "findings": variable("findings"),
            "fixes": field("fixes"),
        },
    },
    output={"code": "{% $states.result.code %}"},
)
check = flow.node(
    "check",
    checker,
    input={"code": field("code"), "findings": variable("findings")},
    output="{% $merge([$states.input, {'problems': $states.result.problems, 'table': $states.result.table}]) %}",
)
review = flow.node(
    "review",
    REVIEWER_AGENT,
    input={
        "objective": variable("question"),
        "input": {
            "findings": variable("findings"),
            "answer": variable("answer"),
            "requirement": variable("requirement"),
            "code": field("code"),
            "problems": field("problems"),
            "table": field("table"),
        },
    },
    output=(
        "{% $merge([$states.input, {'approved': $states.result.approved and $count($states.input.problems) = 0,"
        " 'reasons': $states.result.reasons, 'fixes': $append($states.input.problems, $states.result.fixes)}]) %}"
    ),
)
report = flow.node(
    "report",
    write_report,
    input={
        "question": variable("question"),
        "answer": variable("answer"),
        "findings": variable("findings"),
        "code": field("code"),
        "table": field("table"),
        "approved": field("approved"),
        "reasons": field("reasons"),
        "fixes": field("fixes"),
        "rounds": variable("rework_round"),
    },
)
chart = flow.node(
    "chart",
    draw_chart,
    input={
        "kind": "bar",
        "data": field("table"),
        "x": "{% $states.input.table.columns[0] %}",
        "y": "{% $states.input.table.columns[1] %}",
        "title": variable("question"),
    },
    output="{% $states.input %}",
    catch={"States.ALL": Catch(report, output="{% $states.input %}")},  # a report without a chart is a report
)
finish = flow.choice("calculated?", {"{% $type($states.input.table) = 'object' %}": chart}, default=report)
rework = flow.loop(
    "rework",
    body=code >> check >> review,
    until="{% $states.input.approved %}",
    max_rounds=ROUNDS,
    exhausted=finish,
)
research >> analyse >> rework >> finish
chart >> report >> END
