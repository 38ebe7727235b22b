"""Corpora with known answers: made-up manuals with questions asked in several ways, and our own docs/ with questions by hand."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]

BRANDS = [
    "Velora",
    "Quandt",
    "Ostrava",
    "Pinedale",
    "Mirko",
    "Halvard",
    "Tessin",
    "Umbria",
    "Corvane",
    "Jolster",
    "Norrin",
    "Bexley",
    "Zephra",
    "Altmor",
    "Kestrel",
]
DEVICES = (
    "kettle", "espresso machine", "vacuum cleaner", "dishwasher", "air purifier", "toaster", "blender", "rice cooker", "freezer",
    "washing machine", "tumble dryer", "humidifier", "ceiling fan", "projector", "sewing machine", "lawn mower", "leaf blower",
    "pressure washer", "heat pump", "doorbell camera",
)  # fmt: skip
PARTS = [
    "inlet filter",
    "drive belt",
    "sealing ring",
    "power board",
    "float switch",
    "heating coil",
    "fan bearing",
    "drain hose",
    "lid sensor",
    "battery pack",
]
AGENTS = [
    "citric acid",
    "warm soapy water",
    "isopropyl alcohol",
    "baking soda",
    "distilled water",
    "white vinegar",
]

FACTS: dict[str, tuple[str, dict[str, str]]] = {
    "warranty": (
        "The {name} is covered by a warranty of {months} months from the day of purchase.",
        {
            "exact": "How many months of warranty does the {name} have?",
            "inflected": "Is the {name} still warrantied, and how long are purchases covered?",
            "paraphrase": "For how long does the maker guarantee my {name}?",
        },
    ),
    "error": (
        "Error {code} means that the {part} is blocked or worn; the {device} then stops by itself.",
        {
            "exact": "What does error {code} mean on the {name}?",
            "inflected": "My {name} stopped with an error about a blocked part: {code}",
            "rare": "{code}",
        },
    ),
    "cleaning": (
        "Clean the {part} every {weeks} weeks with {agent}, and let it dry before use.",
        {
            "exact": "What do I clean the {part} of the {name} with?",
            "inflected": "cleaning the {part}, {name}: drying afterwards?",
            "paraphrase": "How often should I wash out the {part} in a {name}?",
        },
    ),
    "power": (
        "In standby the {name} draws {watts} watts, and {more} watts at full load.",
        {
            "exact": "How many watts does the {name} draw in standby?",
            "inflected": "watt drawn by {name} on stand-by",
            "paraphrase": "How much electricity does an idle {name} consume?",
        },
    ),
    "returns": (
        "A {name} that was opened may be returned within {days} days against a handling fee of {fee} euros.",
        {
            "exact": "Within how many days may an opened {name} be returned?",
            "inflected": "returning opened {name}, fees for handling",
            "paraphrase": "Can I send back my unpacked {name} and get my money refunded?",
        },
    ),
    "noise": (
        "At its highest speed the {name} is as loud as {decibels} decibels, measured from one metre.",
        {
            "exact": "How loud is the {name} in decibels at its highest speed?",
            "inflected": "{name} loudness measuring decibel",
            "paraphrase": "What noise level does the {name} make when running flat out?",
        },
    ),
}
"""By subject: a sentence, and the ways to ask for it."""

FILLER = (
    "Place the appliance on a level surface and keep the cable away from hot plates.",
    "Children may use it only under supervision, and never play with the packaging.",
    "Before first use, remove all labels and wipe the outside with a damp cloth.",
    "Spare parts are listed at the end; a service partner near you fits them.",
    "If it was stored in the cold, wait two hours before switching it on.",
    "The display dims after a while to save energy; touch it to wake it up.",
    "Do not open the housing: there is nothing inside that a user can repair.",
    "The firmware updates itself at night when it is connected to the network.",
)


class Question(NamedTuple):
    """A question, how it is asked, and what answers it: a document, and a sentence that stands there if one is known."""

    text: str
    way: str
    document_id: str
    sentence: str


class Corpus(NamedTuple):
    """Documents by id, and questions about them."""

    documents: dict[str, str]
    questions: list[Question]


def manuals(seed: int = 5) -> Corpus:
    """Three hundred manuals that differ in a name and in figures, and six hundred questions: near misses everywhere."""
    chance = random.Random(seed)
    documents: dict[str, str] = {}
    asked: list[Question] = []
    for number, (brand, device) in enumerate(itertools.product(BRANDS, DEVICES)):
        name = f"{brand} {device}"
        values = {
            "name": name, "device": device, "months": chance.randrange(12, 97, 6), "part": chance.choice(PARTS),
            "code": f"{brand[0]}{device[0].upper()}-{1000 + number * 7}", "weeks": chance.randrange(2, 30),
            "agent": chance.choice(AGENTS), "watts": chance.randrange(1, 9) / 2, "more": chance.randrange(40, 3000, 20),
            "days": chance.randrange(7, 60), "fee": chance.randrange(2, 40), "decibels": chance.randrange(38, 92),
        }  # fmt: skip
        document_id = name.lower().replace(" ", "-")
        sections = []
        for subject, (sentence, _) in FACTS.items():
            fillers = chance.sample(FILLER, 3)
            sections.append(
                f"## {subject.capitalize()}\n\n{fillers[0]} {sentence.format(**values)} {' '.join(fillers[1:])}"
            )
        chance.shuffle(sections)
        documents[document_id] = f"# Manual of the {name}\n\n" + "\n\n".join(sections) + "\n"
        for subject in chance.sample(list(FACTS), 2):
            sentence, ways = FACTS[subject]
            way = chance.choice([*ways, "misspelt"])
            text = (
                _misspelt(ways["exact"].format(**values), chance)
                if way == "misspelt"
                else ways[way].format(**values)
            )
            asked.append(Question(text, way, document_id, sentence.format(**values)))
    return Corpus(documents, asked)


def _misspelt(text: str, chance: random.Random) -> str:
    """The text with a letter left out of two of its longer words, as fast fingers do."""
    words = text.split()
    for n in chance.sample([n for n, word in enumerate(words) if len(word) > 4], 2):
        place = chance.randrange(1, len(words[n]) - 1)
        words[n] = words[n][:place] + words[n][place + 1 :]
    return " ".join(words)


def own_docs() -> Corpus:
    """The documents of docs/, and forty questions as a newcomer asks them."""
    folder = ROOT / "docs"
    documents = {
        str(path.relative_to(folder)).replace("/", "."): path.read_text("utf-8")
        for path in sorted(folder.rglob("*.md"))
    }
    asked = [Question(text, "by hand", page.replace("/", "."), "") for text, page in BY_HAND]
    return Corpus(documents, asked)


BY_HAND = (
    ("How do I write my first agent?", "tutorial/first-agent.md"),
    ("what happens to a payment when the process is killed in the middle", "explanation/effects.md"),
    ("who decides about an effect whose outcome nobody knows", "explanation/effects.md"),
    ("several workers on different machines sharing one database", "howto/postgres.md"),
    ("why is there no message queue between workers", "decisions/0002-no-queue.md"),
    ("does the lock file contain the address of the package index", "decisions/0003-lock-file.md"),
    ("how do signals from outside reach a run", "decisions/0004-signals.md"),
    ("two active versions of a definition at the same time", "decisions/0006-registry.md"),
    ("what overhead does a durable turn have", "decisions/0007-what-a-turn-costs.md"),
    ("delivering an event means deleting an item", "decisions/0009-event-bus.md"),
    ("why don't you use Lambda durable functions", "decisions/0012-lambda-durable-functions.md"),
    ("what should I do when the queue age alarm fires", "explanation/alarms.md"),
    ("monthly price of a small deployment", "explanation/costs.md"),
    ("which parts is the system made of, and how does a call go through them", "explanation/architecture.md"),
    ("why does every task wait for a token in Step Functions", "explanation/step-functions.md"),
    ("fork a workflow run from a step in the middle", "explanation/workflows.md"),
    ("chat with the assistant over HTTP and continue a conversation", "howto/assistant.md"),
    ("keep artifacts in an S3 bucket", "howto/aws-adapters.md"),
    ("read secrets from Secrets Manager or Parameter Store", "howto/aws-adapters.md"),
    ("change an agent's prompt without deploying", "howto/definitions.md"),
    ("roll back to the former version of a prompt", "howto/definitions.md"),
    ("try the deployment on my own machine first", "howto/deploy-to-aws.md"),
    ("start an agent when an EventBridge event arrives", "howto/events-on-aws.md"),
    ("subscribe an agent to a type of event", "howto/events.md"),
    ("what is promised about delivering events twice or in order", "howto/events.md"),
    ("add a tool of my own to a pack", "howto/extend.md"),
    ("test a policy before it is used", "howto/policy.md"),
    ("forbid a tool call unless somebody approves it", "howto/policy.md"),
    ("run something every morning at nine", "howto/schedule-and-notify.md"),
    ("send a message to Slack when a check fails", "howto/schedule-and-notify.md"),
    ("register a table and say which checks must hold", "howto/validation-metadata.md"),
    ("write a custom kind of data check", "howto/validation-type.md"),
    ("build a state machine with Python code", "howto/workflows-in-python.md"),
    ("compare two tables and see which rows differ", "tutorial/first-validation.md"),
    ("which pattern should I choose for agents that work together", "howto/patterns/choosing.md"),
    ("let a person sign off in the middle of a workflow", "howto/patterns/human-gates.md"),
    ("a boss agent that hands parts of the work to others", "howto/patterns/supervisor-worker.md"),
    ("which tables does the store make in DynamoDB", "reference/dynamodb.md"),
    ("how long is a cold start, and how large is the bundle", "reference/benchmarks-aws.md"),
    ("read a JSON file of many items with a distributed map", "reference/workflow-resources.md"),
)
"""Questions, and the page of docs/ that answers each."""
