"""Who and what the tales are about, and the phrases that all plots share.

In every story h is the hero and f the friend. All of it is small on purpose: a model of 130,000
parameters has to learn it, letter by letter, in a minute.
"""

from __future__ import annotations

from model.datasets.story.grammar import Character, Thing

# No two names start alike, and an animal's starts as its kind does: so much less to learn.
ANIMALS = (
    Character("Ben", "bear", female=False),
    Character("Coco", "cat", female=True),
    Character("Daisy", "dog", female=True),
    Character("Finn", "fox", female=False),
    Character("Hugo", "hedgehog", female=False),
    Character("Penny", "pig", female=True),
    Character("Rosie", "rabbit", female=True),
    Character("Toby", "turtle", female=False),
)
CHILDREN = (
    Character("Anna", "girl", female=True),
    Character("Leo", "boy", female=False),
    Character("Mia", "girl", female=True),
    Character("Sam", "boy", female=False),
)

TOYS = tuple(
    Thing(f"{color} {toy}")
    for color in ("red", "blue", "green", "yellow", "orange")
    for toy in ("ball", "bell", "boat", "drum", "hat")
)

MEALS = (
    Thing("apple pie"),
    Thing("big cake"),
    Thing("red berries", plural=True),
    Thing("sweet plums", plural=True),
)
FOODS = (*MEALS, Thing("bag of nuts"), Thing("jar of honey"))

SPOTS = (
    "behind the big rock",
    "by the pond",
    "in the bushes",
    "in the garden",
    "in the tall grass",
    "on the hill",
    "under the bridge",
    "under the old log",
)

PHRASES: dict[str, tuple[str, ...]] = {
    "open": (
        "Once upon a time, there was a {trait} {h.kind} named {h}. <about>",
        "Once upon a time, there was a {trait} {h.kind} named {h}. <about>",
        "Once upon a time, there was a {trait} {h.kind} named {h}. <about>",
        "Once upon a time, a {trait} {h.kind} named {h} lived <home>. <fond>",
        "Once upon a time, in a green forest, there lived a {trait} {h.kind} named {h}. <fond>",
        "Once there was a {trait} {h.kind} named {h}. <about>",
    ),
    "about": ("<fond>", "{H.he} lived <home>.", "{H.he} lived with {h.his} mom <home>."),
    "fond": ("{H.he} loved to <like>.", "{H} loved to <like>."),
    "home": (
        "in a small house by the river",
        "on a green hill",
        "on a small farm",
        "by a blue lake",
        "under an old oak tree",
    ),
    "like": (
        "play in the sun",
        "run in the tall grass",
        "sing happy songs",
        "look at the clouds",
        "pick flowers",
        "play by the river",
    ),
    "when": ("One day", "One day", "One sunny [day|morning]", "One warm [day|morning]"),
    "walk": (
        "was walking in the forest",
        "was walking by the river",
        "was playing by the pond",
        "was picking flowers on the hill",
    ),
    "sad": ("{H} felt very sad.", "{H} was so sad that {h.he} began to cry.", "{H} sat down and cried."),
    "why": ('"Why are you sad?" asked {f}.', '"What is wrong, {h}?" asked {f}.'),
    "calm": ("Do not worry", "Do not cry"),
    "thanks": (
        '"Thank you, {f}!" said {h}.',
        '{H} gave {f} a big hug. "Thank you!" {h.he} said.',
        '"Thank you, {f}," said {h}. "You are a good friend."',
    ),
    "friends": (
        "From that day on, {h} and {f} were best friends.",
        "From that day on, {h} and {f} played together every day.",
    ),
    "end": (
        "And they lived happily ever after.",
        "They played together until the sun went down.",
        "Then they went home, tired but happy.",
        "{H} went home with a big smile.",
        "It was the best day of all.",
    ),
    "ending": ("<friends>", "<friends> <end>", "<end>"),
}
