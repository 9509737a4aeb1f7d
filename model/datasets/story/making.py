"""Plots of making, growing and sharing something."""

from __future__ import annotations

from model.datasets.story.plot import Plot
from model.datasets.story.words import FOODS

BUILD = Plot(
    "making something together",
    (
        "<when>, {h} wanted to make {x.a}. {H.he} worked all morning, but the {x} {x.bad}.",
        '[<sad>|"I cannot do it," said {h}.]',
        'Then {f.full} came by. "What are you making?" asked {f}. "{X.a}," said {h}, "but it {x.bad}."',
        '"[Let me help|Let us try again]," said {f}. "I have {x.part}."',
        "So {h} and {f} worked together. {H} did one side, and {f} did the other.",
        "At last, [it was done|the {x} was done]. {x.good}",
        '"We did it!" said {h}. "I could not do it alone."',
        '"Together we can make anything," said {f}.',
        "<ending>",
    ),
    {
        "x": (
            {
                "": "kite",
                "a": "a kite",
                "bad": "did not fly",
                "part": "a long tail for it",
                "good": "The wind blew, and the kite went up, up, up into the blue sky.",
            },
            {
                "": "boat",
                "a": "a boat",
                "bad": "sank",
                "part": "a big log",
                "good": "They put the boat on the pond, and it did not sink.",
            },
            {
                "": "swing",
                "a": "a swing",
                "bad": "fell down",
                "part": "a strong rope",
                "good": "They sat on the swing, and it went up, up, up over the tall grass.",
            },
            {
                "": "bridge",
                "a": "a bridge",
                "bad": "fell down",
                "part": "a strong log",
                "good": "They walked over the bridge to the other side.",
            },
        ),
    },
)

SEED = Plot(
    "the seed",
    (
        "<when>, {h} found a seed [in the garden|under a tree].",
        "{H.he} made a hole and put the seed in it. Every day, {h} gave it water.",
        'But nothing came up. "My seed does not grow," said {h} to {f.full}.',
        '"You must wait," said {f}. "Give it water and sun."',
        "So they waited. [The rain came, and then the sun came.|{H} sang happy songs to the seed.]",
        'Then one morning, {h} saw a green leaf! "Look, {f}!" {h.he} cried. "It is growing!"',
        "It grew and grew. At last, it was {x.a}. {x.share}",
        '"Little things can grow big," said {f}, and {h} smiled.',
        "<end>",
    ),
    {
        "x": (
            {"a": "a big orange pumpkin", "share": "They made soup for all their friends."},
            {"a": "a tall yellow flower", "share": "It was as bright as the sun."},
            {"a": "a tree with red apples", "share": "They gave an apple to all their friends."},
            {"a": "a bush with sweet berries", "share": "They ate berries with all their friends."},
        ),
    },
)

SHARING = Plot(
    "sharing",
    (
        "<when>, {h} had {x.a}. {X.it} {x.was} [a gift from {h.his} mom|all for {h.him}].",
        "Then {f.full} came by. {F} was very hungry.",
        '"May I have some, please?" asked {f}. "No," said {h}. "I want {x.them} all."',
        "{F} looked sad and went away. {H} began to eat, but {h.he} did not feel happy.",
        '"It is no fun to eat alone," {h.he} thought. So {h.he} ran after {f}.',
        '"Come back, {f}!" {h.he} cried. "I am sorry. Let us share the {x}."',
        "{F} smiled. They sat [side by side|in the sun] and ate. Now {x.it} {x.was} so good!",
        '"Thank you, {h}!" said {f}.',
        '[The next day, {f} came with {y.a}. "This is for you," said {f}. |]'
        "{H} learned that it is good to share. <ending>",
    ),
    {"x y": FOODS},
)

SURPRISE = Plot(
    "the surprise",
    (
        "One morning, {h} woke up with a big smile. It was {h.his} birthday!",
        '{H.he} ran to {f.full}. "[Do you want|Can you come out] to play?" asked {h}. '
        '"[I cannot play today|Not today]," said {f}.',
        "So {h} went to {g.full}. "
        '"[Do you want|Can you come out] to play?" asked {h}. "[I cannot play today|Not today]," said {g}.',
        '<sad> "They do not know that it is my birthday," {h.he} thought.',
        "{H} went home. The house was dark. Then {h} heard a voice.",
        '"Surprise!" cried {f} and {g}. All {h.his} friends were there, with {x.a}.',
        '"We made [it|this] for you," said {f}. "Happy birthday, {h}!" said {g}.',
        "{H} laughed and gave {f} and {g} a big hug. They sang happy songs and played all night.",
        "[It was the best day of all.|And they lived happily ever after.]",
    ),
    {"x": [food for food in FOODS if not food.plural]},
)

PLOTS = (BUILD, SEED, SHARING, SURPRISE)
