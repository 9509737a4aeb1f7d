"""Plots of losing and finding."""

from __future__ import annotations

from model.datasets.story.grammar import Thing
from model.datasets.story.plot import Plot
from model.datasets.story.words import SPOTS, TOYS

LOST = Plot(
    "lost and found",
    (
        "{H} had {x.a}. [It was a gift from {h.his} mom.|{H.he} loved it very much.]",
        "<when>, [{h} could not find the {x}|the {x} was gone].",
        '[<sad>|"Oh no! Where is my {x}?" cried {h}.]',
        "{H.he} looked {s1}, but it was not there.",
        "{H.he} looked {s2}, [but it was not there|but found only an old shoe].",
        "Then {f.full} came by. <why>",
        '"I lost my {x}," said {h}.',
        '"<calm>," said {f}. "[I will help you find it|We can look for it together]."',
        "[{H} and {f} looked {s3}, and there was the {x}!"
        '|{F} looked {s3}. "[Here it is|Look]!" {f.he} cried. It was the {x}!]',
        "<thanks>",
        "<ending>",
    ),
    {"x": TOYS, "s1 s2 s3": SPOTS},
)

QUEST = Plot(
    "a gift for mom",
    (
        "<when>, {h.his} mom was [sad|sick in bed|very tired].",
        '"I will find {x.a} for her," said {h}. "{X.it} will make her smile."',
        "So {h.he} took a basket and went out.",
        "Soon {o.block} {o.help}",
        '"Thank you!" said {h} and went on.',
        "Then {p.block} {p.help}",
        "At last, {h} came to [the top of the hill|a green field]. There, {h.he} found {x.a}!",
        "{H} put {x.them} in the basket and ran all the way home.",
        "When mom saw the {x}, she smiled and gave {h} a big hug.",
        '"You are [so brave|so kind]," she said. "I feel [better now|happy again]."',
        "[And they lived happily ever after.|It was the best day of all.]",
    ),
    {
        "x": (
            Thing("yellow flower"),
            Thing("white flower"),
            Thing("red rose"),
            Thing("golden leaf"),
            Thing("sweet pear"),
            Thing("red berries", plural=True),
        ),
        "o p": (
            {
                "block": "{h.he} came to a wide river and could not get across.",
                "help": 'A big duck swam by. "Sit on my back," said the duck, and took {h.him} to the other side.',
            },
            {
                "block": "the path went two ways, and {h} did not know where to go.",
                "help": 'An owl sat in a tree. "Go up the hill," said the old owl.',
            },
            {
                "block": "a big bush stood in the way.",
                "help": 'A small bird came by. "There is a hole under the bush," said the bird.',
            },
            {
                "block": "{h.he} came to a dark cave and could not see.",
                "help": 'A firefly came to help. "I will light the way," said the firefly.',
            },
        ),
    },
)

LITTLE_ONE = Plot(
    "the little one",
    (
        "<when>, {h} <walk> when {h.he} heard a small cry.",
        "{H.he} looked {s}. {H.he} saw a baby {b}, all alone.",
        '"[Where is your mom|Are you lost], baby {b}?" asked {h}.',
        '"I cannot find my mom," said the {b} and began to cry.',
        '"<calm>," said {h}. "I will help you find your mom."',
        '{H} and the {b} went to {f.full}. "I saw a mother {b} by the {q}," said {f}.',
        "So they all ran to the {q}. The mother {b} was there!",
        '"My baby!" she cried, and she gave the baby {b} a big hug.',
        '"Thank you, {h}," said the mother {b}. "You are [very kind|so brave]."',
        "[{H} felt warm and happy.|The baby {b} gave {h} a kiss.] <end>",
    ),
    {
        "b": ("bird", "duck", "owl", "deer", "frog"),
        "q": ("lake", "big tree", "river", "farm"),
        "s": ("behind a bush", "behind a rock", "under a tree", "in the tall grass"),
    },
)

PLOTS = (LOST, QUEST, LITTLE_ONE)
