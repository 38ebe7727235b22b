"""Documents made up by Hypothesis: every state turns a record into a record, so that each path in them leads somewhere.

A record is {"n": whole number, "s": text, "b": boolean, "l": list of numbers, not empty, "o": {"k": whole number}}. What the
emulator is known to do otherwise (`known/emulator.yaml`) is not made up here: the corpus has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from tests.workflows.differential.cases import FUNCTION, Answer, Case, text

ERRORS = ("Busy", "OutOfStock", "My.Error")
FIELDS = ("n", "s", "b", "l", "o")

small = st.integers(-9, 99)
words = st.text("abcxyz 019_-/", max_size=6)
numbers = st.lists(small, min_size=1, max_size=4)
records = st.fixed_dictionaries(
    {"n": small, "s": words, "b": st.booleans(), "l": numbers, "o": st.fixed_dictionaries({"k": small})}
)


def documents(count: int, at_seed: int) -> list[Case]:
    """`count` documents, no two of one shape: with one seed always the same."""
    made: dict[str, Case] = {}

    @seed(at_seed)
    @settings(
        max_examples=count * 4,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(_cases())
    def collect(case: Case) -> None:
        made.setdefault(text(_shape(case.document)), case)

    collect()
    return list(made.values())[:count]


def _shape(machine: dict[str, Any]) -> list[Any]:
    """A machine without its expressions: types of states, where they go, and what is inside them."""
    return [
        [
            state["Type"],
            state.get("Next"),
            *(sorted(state)),
            *map(_shape, state.get("Branches", ())),
            *([_shape(state["ItemProcessor"])] if "ItemProcessor" in state else []),
        ]
        for state in machine["States"].values()
    ]


@st.composite
def _cases(draw: DrawFn) -> Case:
    document, tasks = draw(_MACHINES)
    return Case("generated", document, draw(records), tasks, {}, None, "", None, [], frozenset(), "")


@st.composite
def machines(draw: DrawFn) -> tuple[dict[str, Any], dict[str, list[Answer]]]:
    """A whole document in one of the two query languages, and the answers of its tasks."""
    language: Language = draw(st.sampled_from(_LANGUAGES))
    builder = Builder(draw, language)
    document = builder.machine(depth=2)
    if isinstance(language, Jsonata):
        document = {"QueryLanguage": "JSONata", **document}
    written = text(document)
    return document, {
        name: answers for name, answers in builder.tasks.items() if f'{FUNCTION}{name}"' in written
    }


class Builder:
    """Names states and tasks, and puts states one after another: a state goes on to a later one only, so that it ends."""

    def __init__(self, draw: DrawFn, language: Language) -> None:
        self.draw = draw
        self.language = language
        self.tasks: dict[str, list[Answer]] = {}
        self._states = 0

    def machine(self, depth: int) -> dict[str, Any]:
        names = [self._name() for _ in range(self.draw(st.integers(depth + 1, depth * 2 + 2)))]
        states: dict[str, Any] = {}
        for at, name in enumerate(names):
            later = names[at + 1 :]
            states[name] = self._state(later, depth) if later else self._last()
            if states[name]["Type"] == "Parallel" and self.language.after_parallel:
                between = self._name()
                states[between] = {**self.language.after_parallel, "Next": states[name]["Next"]}
                states[name]["Next"] = between
        return {"StartAt": names[0], "States": _reached(names[0], states)}

    def _name(self) -> str:
        self._states += 1
        return f"S{self._states}"

    def _state(self, later: list[str], depth: int) -> dict[str, Any]:
        kinds = [self._pass, self._pass, self._task, self._choice, self._wait]
        if depth:
            kinds += [self._parallel, self._map]
        kind = self.draw(st.sampled_from(range(len(kinds))))
        return kinds[kind](later) if kind < 5 else kinds[kind](later, depth - 1)  # type: ignore[operator]

    def _last(self) -> dict[str, Any]:
        return self.draw(
            st.one_of(
                st.just({"Type": "Succeed"}),
                st.just({"Type": "Pass", "End": True}),
                st.builds(self._final, self.language.record),
                st.sampled_from(ERRORS).map(
                    lambda error: {"Type": "Fail", "Error": error, "Cause": "as made up"}
                ),
            )
        )

    def _final(self, record: dict[str, Any]) -> dict[str, Any]:
        return {"Type": "Pass", **self.language.becomes(record), "End": True}

    def _to(self, later: list[str]) -> str:
        return self.draw(st.sampled_from(later))

    def _pass(self, later: list[str]) -> dict[str, Any]:
        changes = self.draw(self.language.change)
        return {"Type": "Pass", **changes, "Next": self._to(later)}

    def _wait(self, later: list[str]) -> dict[str, Any]:
        return {"Type": "Wait", "Seconds": self.draw(st.integers(0, 5)), "Next": self._to(later)}

    def _choice(self, later: list[str]) -> dict[str, Any]:
        rules = self.draw(st.lists(self.language.rule, min_size=1, max_size=3))
        choices = [{**rule, "Next": self._to(later)} for rule in rules]
        return {"Type": "Choice", "Choices": choices, "Default": self._to(later)}

    def _task(self, later: list[str]) -> dict[str, Any]:
        name = f"t{len(self.tasks)}"
        failures = self.draw(st.lists(st.sampled_from(ERRORS), max_size=3))
        # a function of a Map is called by iterations side by side: only failing always or never is the same each time
        self.tasks[name] = [Answer(error=failures[0])] if failures else [Answer(echo=True)]
        given = self.draw(self.language.record)
        state = {
            "Type": "Task",
            "Resource": FUNCTION + name,
            **self.language.task(given),
            "Next": self._to(later),
        }
        if self.draw(st.booleans()):
            state["Retry"] = [
                {"ErrorEquals": [self.draw(st.sampled_from([*ERRORS, "States.ALL"]))], "MaxAttempts": 1}
            ]
        if self.draw(st.integers(0, 3)):
            state["Catch"] = [self._catcher(later)]
        return state

    def _catcher(self, later: list[str]) -> dict[str, Any]:
        names = self.draw(st.sampled_from([["States.ALL"], ["States.TaskFailed"], [ERRORS[0]], list(ERRORS)]))
        return {"ErrorEquals": names, **self.language.caught(), "Next": self._to(later)}

    def _parallel(self, later: list[str], depth: int) -> dict[str, Any]:
        branches = [self.machine(depth) for _ in range(self.draw(st.integers(1, 3)))]
        return self._fork({"Type": "Parallel", "Branches": branches}, later)

    def _map(self, later: list[str], depth: int) -> dict[str, Any]:
        fields = {"MaxConcurrency": 1, "ItemProcessor": self.machine(depth), **self.language.items()}
        return self._fork({"Type": "Map", **fields}, later)

    def _fork(self, state: dict[str, Any], later: list[str]) -> dict[str, Any]:
        gathered = self.language.gathered(state["Type"])
        # its failure is always caught, or a branch that fails would be all that there is to see; which of two failing
        # branches is first depends on time, so that the error is not handed on
        catcher = {"ErrorEquals": ["States.ALL"], **self.language.caught_fork(), "Next": self._to(later)}
        return {**state, **gathered, "Catch": [catcher], "Next": self._to(later)}


def _reached(start: str, states: dict[str, Any]) -> dict[str, Any]:
    """The states that the first one leads to: a document with others is refused."""
    reached, ahead = set(), [start]
    while ahead:
        name = ahead.pop()
        reached.add(name)
        state = states[name]
        ways = [state, *state.get("Choices", ()), *state.get("Catch", ())]
        ahead += {way[to] for way in ways for to in ("Next", "Default") if to in way} - reached
    return {name: state for name, state in states.items() if name in reached}


class Language:
    """The fields of states in one query language."""

    after_parallel: Mapping[str, Any] = {}
    """The state that makes a record of what a Parallel hands on, where the Parallel cannot itself."""

    @cached_property
    def record(self) -> SearchStrategy[dict[str, Any]]:
        """A template of a record, each field by an expression of its kind or a constant."""
        raise NotImplementedError

    def becomes(self, record: dict[str, Any]) -> dict[str, Any]:
        """The fields of a Pass that hands on this record."""
        raise NotImplementedError

    @cached_property
    def change(self) -> SearchStrategy[dict[str, Any]]:
        """The fields of a Pass that changes the record."""
        raise NotImplementedError

    def task(self, given: dict[str, Any]) -> dict[str, Any]:
        """The fields of a Task that is given this record and hands on a record."""
        raise NotImplementedError

    def caught(self) -> dict[str, Any]:
        """The fields of a Catcher that goes on with the state's input."""
        raise NotImplementedError

    def caught_fork(self) -> dict[str, Any]:
        """The same, without a word of the error."""
        return self.caught()

    def items(self) -> dict[str, Any]:
        """The fields of a Map over the record's list, each iteration with a record."""
        raise NotImplementedError

    def gathered(self, type: str) -> dict[str, Any]:
        """The fields of a Parallel or a Map that hands on a record."""
        raise NotImplementedError

    @cached_property
    def rule(self) -> SearchStrategy[dict[str, Any]]:
        """A rule of a Choice without its Next."""
        raise NotImplementedError


class Paths(Language):
    """JSONPath: payload templates, intrinsic functions, comparators."""

    @cached_property
    def record(self) -> SearchStrategy[dict[str, Any]]:
        return st.fixed_dictionaries(
            {
                "n": self._number | small,
                "s": self._text | words,
                "b": self._boolean | st.booleans(),
                "l": self._list | numbers,
                "o": st.just("$.o") | self._number.map(lambda number: {"k.$": number}),
            }
        ).map(_template)

    def becomes(self, record: dict[str, Any]) -> dict[str, Any]:
        return {"Parameters": record}

    @cached_property
    def change(self) -> SearchStrategy[dict[str, Any]]:
        return st.one_of(
            self.record.map(self.becomes),
            st.builds(lambda value: {"Result": value, "ResultPath": "$.n"}, small),
            st.builds(lambda value: {"Result": value, "ResultPath": "$.o.k"}, small),
            st.builds(lambda value: {"Result": value, "ResultPath": "$.made.up"}, words),
            st.builds(lambda number: {"Parameters": {"k.$": number}, "ResultPath": "$.o"}, self._number),
            st.just({"InputPath": "$.o", "ResultPath": "$.copy"}),
            st.just({"Result": [1], "ResultPath": None}),
            st.just({}),
        )

    def task(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"Parameters": given, "ResultSelector": {f"{field}.$": f"$.{field}" for field in FIELDS}}

    def caught(self) -> dict[str, Any]:
        return {"ResultPath": None}

    def items(self) -> dict[str, Any]:
        selector = {f"{field}.$": f"$.{field}" for field in FIELDS if field != "n"}
        return {"ItemsPath": "$.l", "ItemSelector": {"n.$": "$$.Map.Item.Value", **selector}}

    def gathered(self, type: str) -> dict[str, Any]:
        return {
            "ResultSelector": {"first.$": "$[0]", "count.$": "States.ArrayLength($)"},
            "ResultPath": f"$.{type}",
        }

    @cached_property
    def rule(self) -> SearchStrategy[dict[str, Any]]:
        return st.recursive(
            self._comparison,
            lambda rules: st.one_of(
                st.lists(rules, min_size=1, max_size=2).map(lambda some: {"And": some}),
                st.lists(rules, min_size=1, max_size=2).map(lambda some: {"Or": some}),
                rules.map(lambda one: {"Not": one}),
            ),
            max_leaves=4,
        )

    @cached_property
    def _comparison(self) -> SearchStrategy[dict[str, Any]]:
        sizes = st.sampled_from(["Equals", "LessThan", "GreaterThan", "LessThanEquals", "GreaterThanEquals"])
        return st.one_of(
            st.builds(lambda how, value: {"Variable": "$.n", f"Numeric{how}": value}, sizes, small),
            st.builds(lambda how: {"Variable": "$.n", f"Numeric{how}Path": "$.o.k"}, sizes),
            st.builds(lambda how, value: {"Variable": "$.s", f"String{how}": value}, sizes, words),
            st.builds(
                lambda value: {"Variable": "$.s", "StringMatches": f"*{value}*"}, st.sampled_from("abcxyz")
            ),
            st.builds(lambda value: {"Variable": "$.b", "BooleanEquals": value}, st.booleans()),
            st.builds(lambda value: {"Variable": "$.made.up", "IsPresent": value}, st.booleans()),
            st.builds(lambda field: {"Variable": f"$.{field}", "IsString": True}, st.sampled_from(FIELDS)),
        )

    @cached_property
    def _number(self) -> SearchStrategy[str]:
        return st.recursive(
            st.sampled_from(["$.n", "$.o.k", "$.l[0]", "States.ArrayLength($.l)"]),
            lambda inner: st.builds(lambda a, b: f"States.MathAdd({a}, {b})", inner, inner | small.map(str)),
            max_leaves=3,
        )

    @cached_property
    def _list(self) -> SearchStrategy[str]:
        return st.one_of(
            st.just("$.l"),
            st.builds(lambda a, b: f"States.Array({a}, {b})", self._number, self._number),
            st.builds(lambda count: f"States.ArrayRange(1, {count}, 2)", st.integers(1, 7)),
            st.just("States.ArrayUnique($.l)"),
            st.just("States.ArrayGetItem(States.ArrayPartition($.l, 2), 0)"),
        )

    @cached_property
    def _text(self) -> SearchStrategy[str]:
        return st.one_of(
            st.just("$.s"),
            st.builds(
                lambda number, word: f"States.Format('{word}{{}}:{{}}', {number}, $.s)", self._number, words
            ),
            st.just("States.Hash($.s, 'SHA-256')"),
            st.just("States.Base64Encode($.s)"),
            st.just("States.JsonToString($.l)"),
            st.just("States.Base64Decode(States.Base64Encode($.s))"),
        )

    @cached_property
    def _boolean(self) -> SearchStrategy[str]:
        return st.just("$.b") | st.builds(lambda number: f"States.ArrayContains($.l, {number})", self._number)


class Jsonata(Language):
    """JSONata: expressions in Output, Arguments, Items and Condition. The emulator reads no Output of a Parallel."""

    after_parallel: Mapping[str, Any] = {"Type": "Pass", "Output": "{% $states.input[0] %}"}

    @cached_property
    def record(self) -> SearchStrategy[dict[str, Any]]:
        fields = {
            "n": self._number,
            "s": self._text,
            "b": self._condition,
            "l": self._list,
            "o": st.just("$states.input.o") | self._number.map(lambda number: f"{{'k': {number}}}"),
        }
        return st.fixed_dictionaries({name: made.map(_expression) for name, made in fields.items()})

    def becomes(self, record: dict[str, Any]) -> dict[str, Any]:
        return {"Output": record}

    @cached_property
    def change(self) -> SearchStrategy[dict[str, Any]]:
        return st.one_of(
            self.record.map(self.becomes),
            st.just({}),
            st.builds(
                lambda number: {"Output": _expression(f"$merge([$states.input, {{'n': {number}}}])")},
                self._number,
            ),
            st.builds(
                lambda text: {"Output": _expression(f"$merge([$states.input, {{'up': {text}}}])")}, self._text
            ),
        )

    def task(self, given: dict[str, Any]) -> dict[str, Any]:
        return {
            "Arguments": given,
            "Output": {name: _expression(f"$states.result.{name}") for name in FIELDS},
        }

    def caught(self) -> dict[str, Any]:
        return {"Output": _expression("$merge([$states.input, {'error': $states.errorOutput.Error}])")}

    def caught_fork(self) -> dict[str, Any]:
        return {"Output": _expression("$states.input")}

    def items(self) -> dict[str, Any]:
        selector = {name: _expression(f"$states.input.{name}") for name in FIELDS if name != "n"}
        value = _expression("$states.context.Map.Item.Value")
        return {"Items": _expression("$states.input.l"), "ItemSelector": {"n": value, **selector}}

    def gathered(self, type: str) -> dict[str, Any]:
        if type == "Parallel":
            return {}
        return {"Output": _expression("$merge([$states.input, {'n': $count($states.result)}])")}

    @cached_property
    def rule(self) -> SearchStrategy[dict[str, Any]]:
        return self._condition.map(lambda condition: {"Condition": _expression(condition)})

    @cached_property
    def _number(self) -> SearchStrategy[str]:
        return st.recursive(
            st.sampled_from(
                ["$states.input.n", "$states.input.o.k", "$states.input.l[0]", "$count($states.input.l)"]
            )
            | st.integers(0, 9).map(str),
            lambda inner: st.one_of(
                st.builds(lambda a, b: f"({a} + {b})", inner, inner),
                st.builds(lambda a, b: f"({a} - {b})", inner, inner),
                st.builds(lambda a: f"$floor({a} / 2)", inner),
                st.builds(lambda a, b: f"$max([{a}, {b}])", inner, inner),
            ),
            max_leaves=3,
        )

    @cached_property
    def _list(self) -> SearchStrategy[str]:
        return st.one_of(
            st.just("$states.input.l"),
            st.builds(lambda a, b: f"[{a}, {b}]", self._number, self._number),
            st.just("[1..3]"),
            st.just("$append($states.input.l, [1, 2])"),
            st.just("[$map($states.input.l, function($v) { $v * 2 })]"),
        )

    @cached_property
    def _text(self) -> SearchStrategy[str]:
        return st.one_of(
            st.just("$states.input.s"),
            words.map(lambda word: f"'{word}'"),
            st.builds(lambda number: f"$string({number}) & '-' & $states.input.s", self._number),
            st.just("$uppercase($states.input.s)"),
            st.just("$substring($states.input.s, 0, 3)"),
            st.just("$base64encode($states.input.s)"),
        )

    @cached_property
    def _condition(self) -> SearchStrategy[str]:
        return st.recursive(
            st.one_of(
                st.just("$states.input.b"),
                st.builds(
                    lambda a, how, b: f"{a} {how} {b}",
                    self._number,
                    st.sampled_from(["<", ">", "<=", ">=", "=", "!="]),
                    self._number,
                ),
                st.just("$contains($states.input.s, 'a')"),
                st.just("$exists($states.input.up)"),
            ),
            lambda inner: st.one_of(
                st.builds(lambda a, b: f"({a} and {b})", inner, inner),
                st.builds(lambda a, b: f"({a} or {b})", inner, inner),
                st.builds(lambda a: f"$not({a})", inner),
            ),
            max_leaves=3,
        )


def _template(record: dict[str, Any]) -> dict[str, Any]:
    """A payload template: fields whose value is a path or a call are named `.$`. No word that is made up begins so."""
    return {
        f"{name}.$" if isinstance(value, str) and value.startswith(("$.", "States.")) else name: value
        for name, value in record.items()
    }


def _expression(text: str) -> str:
    return f"{{% {text} %}}"


_LANGUAGES: list[Language] = [Paths(), Jsonata()]
_MACHINES = machines()
