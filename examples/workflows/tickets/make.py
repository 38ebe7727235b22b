"""Make the ticket database: who can resolve what, tickets resolved before, and eight that are open.

python make.py [FILE]      the same rows on every machine
"""

from __future__ import annotations

import random
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

SCHEMA = """
CREATE TABLE resolvers (name TEXT PRIMARY KEY, capacity INTEGER NOT NULL);
CREATE TABLE skills (name TEXT NOT NULL REFERENCES resolvers, category TEXT NOT NULL, PRIMARY KEY (name, category));
CREATE TABLE tickets (
  ticket_id INTEGER PRIMARY KEY, text TEXT NOT NULL, status TEXT NOT NULL,
  category TEXT, assignee TEXT REFERENCES resolvers, note TEXT
);
"""
RESOLVERS = {"Ines": 2, "Jonas": 3, "Kim": 3, "Lea": 2}
SKILLS = {
    "Ines": ("network",),
    "Jonas": ("network", "access"),
    "Kim": ("access", "hardware"),
    "Lea": ("billing",),
}
SAID = {
    "network": (
        "vpn drops every hour", "no wifi on the third floor", "the network is slow today", "cannot reach the file server",
        "vpn asks for a certificate", "wifi connects and then drops", "dns does not resolve our domain",
    ),
    "access": (
        "forgot my password again", "my account is locked", "need access to the shared folder", "login says password expired",
        "please unlock the account", "no permission to open the folder", "two factor login does not send a code",
    ),
    "hardware": (
        "laptop screen flickers", "keyboard has a broken key", "the printer is jammed", "laptop battery is empty after an hour",
        "monitor stays dark", "docking station makes a noise", "printer prints blank pages",
    ),
    "billing": (
        "invoice has the wrong amount", "please send the invoice again", "charged twice for the licence",
        "cost centre on the invoice is wrong", "need a credit note", "payment was refused", "licence renewal costs more",
    ),
}  # fmt: skip
OPEN = (
    "vpn drops as soon as wifi connects",
    "password expired and my account is locked",
    "printer jammed and prints blank pages",
    "charged twice, the invoice shows the wrong amount",
    "cannot reach the file server over the vpn",
    "laptop screen stays dark",
    "the wifi is slow and dns does not resolve",
    "where do I park my bicycle?",
)
"""Tickets 1001 to 1008. Nobody has resolved anything like the last one before."""


def make(file: Path) -> None:
    """Write the database, in the place of one that is there."""
    file.unlink(missing_ok=True)
    rng = random.Random(20_261_121)
    past = [
        (text, category)
        for category, texts in SAID.items()
        for text in texts
        for _ in range(rng.randint(1, 3))
    ]
    with closing(sqlite3.connect(file)) as db:
        db.executescript(SCHEMA)
        db.executemany("INSERT INTO resolvers VALUES (?, ?)", RESOLVERS.items())
        db.executemany(
            "INSERT INTO skills VALUES (?, ?)", [(n, c) for n, known in SKILLS.items() for c in known]
        )
        able = {c: [n for n, known in SKILLS.items() if c in known] for c in SAID}
        db.executemany(
            "INSERT INTO tickets VALUES (?, ?, 'resolved', ?, ?, NULL)",
            [(1 + n, text, c, rng.choice(able[c])) for n, (text, c) in enumerate(past)],
        )
        db.executemany(
            "INSERT INTO tickets VALUES (?, ?, 'open', NULL, NULL, NULL)",
            [(1001 + n, text) for n, text in enumerate(OPEN)],
        )
        db.commit()


if __name__ == "__main__":
    make(Path(sys.argv[1] if len(sys.argv) > 1 else "tickets.db"))
