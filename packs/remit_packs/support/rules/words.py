"""What a message asks for: numbers, an address, and wishes, found by patterns."""

from __future__ import annotations

import re

from msgspec import Struct

_ORDER = re.compile(r"\b(?:(?<=order )|(?<=orders )|(?<=#)|(?=1))(\d{6})\b", re.I)
_CUSTOMER = re.compile(r"\bcustomer\D{0,20}?(2\d{4})\b", re.I)
_PRODUCT = re.compile(r"\bproduct\D{0,12}?(1\d{3})\b", re.I)
_OWNED = re.compile(r"\bowns products? ([\d, ]+)", re.I)
_EMAIL = re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b")
_PRICE = re.compile(
    r"\b(?:under|below|at most|up to|less than|maximum|budget)\s(?:of\s|is\s)?\$?([\d,]{1,9}(?:\.\d\d)?)",
    re.I,
)
_ADDRESS = re.compile(
    r"(?:address(?:\sis|\sto)?|moved\sto|delivered?\sto)\s*:?\s*"
    r"(?P<street>\d+\s[^,\n]{2,80}),\s*(?P<city>[^,\n]{2,60}),\s*(?P<region>[A-Z]{2})\s+(?P<postal_code>\d{5}(?:-\d{4})?)",
    re.I,
)
_WISHES = {
    "cancel": r"\bcancel",
    "twice": r"\b(?:charged|billed|paid|debited)\b.{0,20}\b(?:twice|two times|double)|\bdouble[- ]charge|\bduplicate\b|\btwo charges",
    "refund": r"\brefund|\bmoney back|\breimburse|\bpay me back",
    "move": r"\bnew address|\bchange\b.{0,30}\baddress|\bupdate\b.{0,30}\baddress|\bmoved to\b|\baddress is now",
    "recommend": r"\brecommend|\bsuggest|\bsimilar|\balternative|\blooking for|\bgift\b|\bwhich .{2,40} should i buy",
    "broken": r"\bbroken?\b|\bfaulty|\bdefect|\bleak|\bstopped|\bflicker|\bnoise|\bdead\b"
    r"|(?:\bnot|\bwon['’]t|n['’]t)\s(?:work|switch|turn|start|charge|connect|heat|respond|open|close|print)|\bcannot be read|\bdisconnect|\bswitches off|\btoo hot|\bsmells?\b|\bstuck\b|\bfroze|\bsinks\b|\bproblem with|\btroubleshoot|\bno (?:sound|power|pressure)|\bhow do i (?:clean|fix|reset)",
    "where": r"\bwhere\b|\btrack|\bstatus\b|\bwhen will\b|\bwhen does\b|\barriv|\bparcel|\bnot (?:yet )?(?:come|here)\b",
    "history": r"\b(?:my|purchase|order) history|\bwhat (?:have|did) i (?:buy|bought|order)|\bmy (?:last |recent )?orders\b|\bmy preferences",
    "mail": r"\be-?mail me\b|\bconfirm\b.{0,30}\be-?mail|\bby e-?mail\b",
    "ticket": r"\bticket",
}
_PATTERNS = {name: re.compile(pattern, re.I) for name, pattern in _WISHES.items()}


class Ask(Struct, frozen=True):
    """A message, understood as far as patterns go. 0 and "" mean: not said."""

    text: str
    wishes: frozenset[str] = frozenset()
    order_id: int = 0
    more_orders: tuple[int, ...] = ()
    customer_id: int = 0
    email: str = ""
    product_id: int = 0
    owned: tuple[int, ...] = ()
    max_price_cents: int = 0
    address: dict[str, str] = {}

    def wants(self, *names: str) -> bool:
        """Whether any of these wishes was spoken."""
        return not self.wishes.isdisjoint(names)


def understand(said: str, before: str = "") -> Ask:
    """Read a message; numbers that it lacks are taken from what was said before, wishes are not."""
    orders = _numbers(_ORDER, said) or _numbers(_ORDER, before)[-1:]
    wishes = {name for name, pattern in _PATTERNS.items() if pattern.search(said)}
    address = _ADDRESS.search(said)
    owned = _OWNED.search(said)
    price = _PRICE.search(said)
    email = _EMAIL.search(said) or _EMAIL.search(before)
    return Ask(
        text=said,
        wishes=frozenset(wishes),
        order_id=orders[0] if orders else 0,
        more_orders=tuple(orders[1:]),
        customer_id=_first(_CUSTOMER, said) or _first(_CUSTOMER, before),
        email=email[0].lower() if email else "",
        product_id=_first(_PRODUCT, said),
        owned=tuple(int(n) for n in re.findall(r"\d+", owned[1])) if owned else (),
        max_price_cents=_cents(price[1]) if price else 0,
        address={name: part.strip() for name, part in address.groupdict().items()} if address else {},
    )


def _numbers(pattern: re.Pattern[str], text: str) -> list[int]:
    return list(dict.fromkeys(int(found) for found in pattern.findall(text)))


def _first(pattern: re.Pattern[str], text: str) -> int:
    found = pattern.search(text)
    return int(found[1]) if found else 0


def _cents(text: str) -> int:
    whole, _, part = text.replace(",", "").partition(".")
    return int(whole or 0) * 100 + int(part or 0)
