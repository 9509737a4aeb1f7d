"""A plot, and how a story is told from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from model.datasets.story.grammar import Scene, Value, expand, polish
from model.datasets.story.prng import SplitMix64
from model.datasets.story.words import ANIMALS, CHILDREN, PHRASES

TRAITS = ("little", "little", "little", "kind", "happy")


@dataclass(frozen=True)
class Plot:
    """One kind of story: what happens in it, beat by beat, and what it may be about."""

    name: str
    beats: tuple[str, ...]
    slots: Mapping[str, Sequence[Value]] = field(default_factory=dict)  # "a b": two different ones of these
    traits: tuple[str, ...] = TRAITS


def tell(plot: Plot, rng: SplitMix64) -> str:
    """One story: one line of text. Its hero (h) is an animal or a child; friends (f, g) are animals."""
    f, g = rng.sample(ANIMALS, 2)
    others = [hero for hero in (*ANIMALS, *CHILDREN) if hero.kind not in (f.kind, g.kind)]
    slots: dict[str, Value] = {"h": rng.choice(others), "f": f, "g": g, "trait": rng.choice(plot.traits)}
    for names, options in plot.slots.items():
        wanted = names.split()
        slots.update(zip(wanted, rng.sample(options, len(wanted)), strict=True))
    scene = Scene(slots, PHRASES)
    return polish(expand(" ".join(("<open>", *plot.beats)), scene, rng))
