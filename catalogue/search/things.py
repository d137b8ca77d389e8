"""What tells a thing from what is made for it: a laptop from its battery. Owns those words; pure, knows no backend.

Who asks for a device means the device. Its accessories often have its name in theirs, and in fewer words than it has
itself, so that by words alone they come first. Facts of language, as in `query_terms.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from catalogue.search.query_terms import ACCESSORIES, singular

if TYPE_CHECKING:
    from catalogue.search.query_terms import QueryTerms

KIND = 3.0
"""What lifts a product whose category is named after what is asked for."""
MALUS, MALUS_OF_DEVICES = 1.0, 3.0
"""What an accessory loses; and where a device is asked for, which has more of them than others have."""

DEVICES = frozenset(
    [
        "aquarium", "bike", "bicycle", "blender", "boat", "bottle", "camcorder", "camera", "car", "chainsaw",
        "chromebook", "coffeemaker", "computer", "console", "copier", "dishwasher", "drill", "drone", "dryer",
        "ereader", "fridge", "grill", "grinder", "guitar", "handheld", "headphone", "headset", "ipad", "iphone",
        "ipod", "kettle", "keyboard", "kindle", "laptop", "lawnmower", "macbook", "machine", "microphone",
        "microscope", "microwave", "mixer", "monitor", "motorcycle", "mouse", "mower", "notebook", "oven", "pc",
        "phone", "piano", "playstation", "pram", "printer", "projector", "radio", "razor", "refrigerator", "robot",
        "router", "saw", "scanner", "scooter", "server", "shaver", "skateboard", "smartphone", "smartwatch",
        "speaker", "stroller", "tablet", "telephone", "telescope", "television", "tent", "toaster", "toothbrush",
        "trimmer", "turntable", "tv", "ultrabook", "vacuum", "violin", "walkman", "washer", "watch", "wheelchair",
        "xbox",
    ]
)  # fmt: skip
"""Things that others are made for, in the singular."""

PARTS = frozenset(
    [
        "backpack", "band", "battery", "belt", "bit", "blade", "briefcase", "brush", "bulb", "cap", "capsule",
        "cartridge", "cooler", "descaler", "drum", "film", "grip", "heatsink", "helmet", "hinge", "hood", "hose",
        "ink", "insert", "kbd", "keycap", "label", "nozzle", "pad", "paper", "pedal", "peg", "refill", "ribbon",
        "roller", "saddlebag", "sticker", "string", "stylus", "toner", "tripod", "trolley", "tyre", "wallet",
        "winder",
    ]
)  # fmt: skip
"""Nouns that are things of their own, yet beside a device's name what belongs to it."""


class Thing(NamedTuple):
    """What tells the thing that is asked for from what belongs to it."""

    accessories: tuple[str, ...]
    """Words of a name that make it an accessory of what is asked for."""
    malus: float
    kinds: tuple[str, ...]
    """Words that a category of such things ends with."""


def thing_of(words: QueryTerms) -> Thing:
    """Return what is known of the thing that a query names, by its last word: that is what English names a thing by."""
    whole = singular((words.single[-1],))[0] if words.terms else ""
    is_device = whole in DEVICES
    nouns = ACCESSORIES | PARTS if is_device else ACCESSORIES
    return Thing(tuple(sorted(nouns - words.plain)), MALUS_OF_DEVICES if is_device else MALUS, tuple(_kinds(words)))


def is_accessory_asked(words: QueryTerms) -> bool:
    """Tell whether who asks names an accessory: then other names of the thing are another thing's."""
    return bool(words.plain & (ACCESSORIES | PARTS))


def _kinds(words: QueryTerms) -> list[str]:
    if not words.terms:
        return []
    *_, term = words.terms
    ends = (*(spelling[-1] for spelling in term.words[-1]), *(other[-1] for other in term.same))
    return list(dict.fromkeys(ends))
