"""The template language of the tales.

    [a|b|c]      one of these, each as likely; may be nested; `[a|]` is a or nothing
    {x} {x.form} a form of what the scene has in slot x; a capital slot, {X.form}, gives a capital
    <name>       one of the phrases of that name
    a            becomes "an" before a vowel

Chosen text may hold templates again. Characters have the forms he, him, his, himself, kind, full
("Ben the bear"); things it, them, was, a; an option (a mapping) has its own keys.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from model.datasets.story.prng import SplitMix64

CLOSING = {"[": "]", "{": "}", "<": ">"}


@dataclass(frozen=True)
class Character:
    """Someone in a story."""

    name: str
    kind: str  # "rabbit", "girl"
    female: bool

    def form(self, form: str) -> str:
        """The text for {slot.form}. Raises KeyError for a form that there is not."""
        he, him, his = ("she", "her", "her") if self.female else ("he", "him", "his")
        forms = {"": self.name, "he": he, "him": him, "his": his, "himself": f"{him}self", "kind": self.kind}
        return forms[form] if form != "full" else f"{self.name} the {self.kind}"


@dataclass(frozen=True)
class Thing:
    """Something in a story, without its article: "red ball", "ripe berries"."""

    name: str
    plural: bool = False

    def form(self, form: str) -> str:
        """The text for {slot.form}. Raises KeyError for a form that there is not."""
        one = {"": self.name, "a": f"a {self.name}", "it": "it", "them": "it", "was": "was"}
        many = {"": self.name, "a": f"some {self.name}", "it": "they", "them": "them", "was": "were"}
        return (many if self.plural else one)[form]


Value = Character | Thing | Mapping[str, str] | str
Phrases = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Scene:
    """What the templates of one story draw from."""

    slots: Mapping[str, Value]
    phrases: Phrases

    def lookup(self, field: str) -> str:
        """The text, perhaps a template, for {field}. Raises KeyError, naming the field."""
        slot, _, form = field.partition(".")
        capital = slot[0].isupper()
        try:
            value = self.slots[slot.lower()]
            if isinstance(value, (Character, Thing)):
                text = value.form(form)
            else:
                text = (value if isinstance(value, Mapping) else {"": value})[form]
        except KeyError:
            raise KeyError(f"no text for {{{field}}}") from None
        return text[0].upper() + text[1:] if capital else text


def expand(template: str, scene: Scene, rng: SplitMix64) -> str:
    """The template with every choice made, left to right. Raises KeyError or ValueError where it is wrong."""
    out: list[str] = []
    i = 0
    while i < len(template):
        c = template[i]
        if c not in CLOSING:
            out.append(c)
            i += 1
            continue
        end = _closing(template, i)
        inner = template[i + 1 : end]
        if c == "[":
            inner = rng.choice(_alternatives(inner))
        elif c == "<":
            inner = rng.choice(scene.phrases[inner])
        else:
            inner = scene.lookup(inner)
        out.append(expand(inner, scene, rng))
        i = end + 1
    return "".join(out)


def polish(text: str) -> str:
    """Single spaces, and "an" before a vowel."""
    return re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", " ".join(text.split()))


def _closing(template: str, start: int) -> int:
    """Where the bracket at `start` closes."""
    opening, closing, depth = template[start], CLOSING[template[start]], 0
    for i in range(start, len(template)):
        depth += (template[i] == opening) - (template[i] == closing)
        if depth == 0:
            return i
    raise ValueError(f"{opening!r} is never closed: {template!r}")


def _alternatives(inner: str) -> list[str]:
    """Splits at the bars that are in no inner bracket."""
    parts, depth, start = [], 0, 0
    for i, c in enumerate(inner):
        depth += (c == "[") - (c == "]")
        if c == "|" and depth == 0:
            parts.append(inner[start:i])
            start = i + 1
    return [*parts, inner[start:]]
