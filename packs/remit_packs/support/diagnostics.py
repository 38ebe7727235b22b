"""The fault table: which words about which kind of product point to a fault, and which to something one can fix."""

from __future__ import annotations

import re
from typing import NamedTuple

from remit_packs.support.shapes import Verdict


class Fault(NamedTuple):
    """One line of the table. All of `words` must occur (as beginnings of words); `category` "" means any."""

    category: str
    words: tuple[str, ...]
    verdict: Verdict
    article: str
    explanation: str


DEAD = "It gives no sign of life although the socket or charger works: the electronics are broken."

FAULTS = (
    Fault("espresso machines", ("leak", "bottom"), "faulty", "espresso-leaks", "Water from the bottom of the case means a split hose or boiler seal: do not use it any more."),
    Fault("espresso machines", ("leak", "inside"), "faulty", "espresso-leaks", "A leak from inside the case is a split hose or boiler seal: do not use it any more."),
    Fault("espresso machines", ("water", "bottom"), "faulty", "espresso-leaks", "Water from the bottom of the case means a split hose or boiler seal: do not use it any more."),
    Fault("espresso machines", ("descal", "pressure"), "faulty", "espresso-no-pressure", "No pressure in a descaled machine means a worn pump."),
    Fault("espresso machines", ("leak",), "fixable", "espresso-leaks", "Most leaks come from the tank or the group gasket."),
    Fault("espresso machines", ("pressure",), "fixable", "espresso-no-pressure", "Too little pressure is nearly always scale or grind."),
    Fault("kettles", ("descal", "switch"), "faulty", "kettle-switches-off", "A clean kettle that switches off at once has a faulty thermostat."),
    Fault("kettles", ("switch",), "fixable", "kettle-switches-off", "Scale makes the thermostat think that the water boils."),
    Fault("kettles", ("smell",), "fixable", "kettle-smell", "New kettles smell for a few uses."),
    Fault("toasters", ("dark",), "fixable", "toaster-uneven", "Slot one has a single-sided mode."),
    Fault("blenders", ("empty", "stop"), "faulty", "blender-stops", "A blender that stops when empty has a broken switch or motor."),
    Fault("blenders", ("stop",), "fixable", "blender-stops", "The motor protection cuts in and resets itself when cold."),
    Fault("vacuum cleaners", ("suction",), "fixable", "vacuum-weak", "A full bin or damp filter costs most of the suction."),
    Fault("vacuum cleaners", ("batter",), "fixable", "vacuum-battery", "Boost mode runs ten minutes, normal mode 35."),
    Fault("air purifiers", ("light",), "fixable", "purifier-filter", "The light counts hours and must be reset by hand."),
    Fault("headphones", ("reset", "one", "side"), "faulty", "headphones-one-side", "Silence on one side after a reset means a broken wire."),
    Fault("headphones", ("side",), "fixable", "headphones-one-side", "Balance settings and a stale pairing come first."),
    Fault("headphones", ("pair",), "fixable", "headphones-pairing", "The headphones connect to the device they knew last."),
    Fault("speakers", ("connection",), "fixable", "speaker-drops", "Walls and microwave ovens shorten the reach."),
    Fault("keyboards", ("key",), "fixable", "keyboard-repeats", "Dust and settings come before the switch."),
    Fault("monitors", ("menu", "flicker"), "faulty", "monitor-flickers", "Flicker in the monitor's own menu is a fault of the panel."),
    Fault("monitors", ("flicker",), "fixable", "monitor-flickers", "The cable is the usual cause."),
    Fault("monitors", ("black",), "fixable", "monitor-flickers", "The cable is the usual cause."),
    Fault("monitors", ("pixel",), "fixable", "monitor-dead-pixel", "A few single pixels are within the norm."),
    Fault("webcams", ("dark",), "fixable", "webcam-dark", "Shutter, permissions and light come first."),
    Fault("routers", ("restart",), "faulty", "router-slow", "A router that restarts by itself is faulty."),
    Fault("routers", ("slow",), "fixable", "router-slow", "Place and channel matter most."),
    Fault("routers", ("red",), "fixable", "router-no-internet", "Restart modem and router in the right order."),
    Fault("chargers", ("smell",), "faulty", "charger-slow", "A charger that smells is a safety matter: unplug it."),
    Fault("chargers", ("hot",), "faulty", "charger-slow", "A charger too hot to hold is a safety matter: unplug it."),
    Fault("chargers", ("slow",), "fixable", "charger-slow", "Thin cables stop at 60 W."),
    Fault("smart watches", ("batter",), "fixable", "watch-battery", "Always-on display and GPS halve the running time."),
    Fault("e-readers", ("stripe",), "faulty", "ereader-frozen", "Stripes after a restart mean a broken display."),
    Fault("e-readers", ("froz",), "fixable", "ereader-frozen", "A long press on the button restarts it."),
    Fault("cameras", ("lens",), "fixable", "camera-error-lens", "Sand around the lens ring is the usual cause."),
    Fault("cameras", ("card",), "fixable", "camera-card", "Format the card in the camera."),
    Fault("lamps", ("flicker",), "fixable", "lamp-flickers", "Wall dimmers and wrong adapters make it flicker."),
    Fault("desk chairs", ("sink",), "fixable", "chair-sinks", "The gas spring is worn and is sent free of charge."),
    Fault("backpacks", ("zip",), "fixable", "backpack-zip", "Graphite makes the slider run again."),
    Fault("drills", ("hum",), "faulty", "drill-no-power", "A drill that hums but does not turn has a jammed gear."),
    Fault("drills", ("turn",), "fixable", "drill-no-power", "The direction switch in the middle is the lock."),
    Fault("", ("not", "switch on"), "faulty", "returns-and-refunds", DEAD),
    Fault("", ("not", "turn on"), "faulty", "returns-and-refunds", DEAD),
    Fault("", ("dead",), "faulty", "returns-and-refunds", DEAD),
)  # fmt: skip
"""Looked through from the top: the more certain line of a category stands first."""

UNCLEAR = Fault(
    "", (), "unclear", "returns-and-refunds", "The fault table has no entry for this description."
)


def diagnose(category: str, symptom: str) -> Fault:
    """The first line of the table that fits, or UNCLEAR."""
    text = _plain(symptom)
    for fault in FAULTS:
        if fault.category in ("", category) and all(f" {word}" in text for word in fault.words):
            return fault
    return UNCLEAR


def _plain(symptom: str) -> str:
    """Lower case words with a space before each; what was *not* tried is left out."""
    text = re.sub(r"n['’]t\b", " not", symptom.lower())
    text = " " + " ".join(re.findall(r"[a-z0-9]+", text))
    return re.sub(r" (not|never)( yet)? (descal|reset)\w*", "", text)
