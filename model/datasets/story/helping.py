"""Plots of helping someone."""

from __future__ import annotations

from model.datasets.story.plot import Plot
from model.datasets.story.words import MEALS

STUCK = Plot(
    "stuck",
    (
        "<when>, {h} <walk>.",
        'Then {h.he} heard a voice. "Help! Help me!"',
        "It was {f.full}. {F} was stuck {x.where}!",
        '"<calm>," said {h}. "I will get you out."',
        "{x.first}",
        "Then {h} had a good idea. {x.how}",
        "[One, two, three! {F} was free!|And out came {f}, safe and sound!]",
        '"Thank you, {h}!" said {f}. "[You are so brave!|I was so scared.]"',
        '[{H} smiled. "Just be my friend," {h.he} said.|"I am glad you are safe," said {h}.]',
        "<ending>",
    ),
    {
        "x": (
            {
                "where": "in the mud",
                "first": "{H} pulled and pulled, but {f} did not move.",
                "how": "{H.he} found a long stick. {F} took the stick, and {h} pulled again.",
            },
            {
                "where": "in a deep hole",
                "first": "{H} reached down, but the hole was too deep.",
                "how": "{H.he} got a long rope and let it down. {F} took the rope, and {h} pulled.",
            },
            {
                "where": "high up in a tree",
                "first": "{H} wanted to climb up, but the tree was too high.",
                "how": "{H.he} made a big pile of leaves under the tree. {F} closed {f.his} eyes and jumped.",
            },
            {
                "where": "on a rock in the river",
                "first": "{H} wanted to swim, but the water was too fast.",
                "how": "{H.he} put a long log over the water. {F} walked over the log, step by step.",
            },
        ),
    },
)

SICK = Plot(
    "a sick friend",
    (
        "{H.his} best friend was {f.full}.",
        "<when>, {f} did not come out to play. So {h} went to {f.his} house. {F} was in bed.",
        '"I [am sick|do not feel well], {h}," said {f}. "I cannot play today."',
        "{H} wanted to help. {H.he} ran home and asked {h.his} mom what to do.",
        '"A sick friend needs good food," said {h.his} mom. So {h} took {x.a} to {f}.',
        "{H} also [brought some flowers|sang a happy song] to make {f} smile.",
        "{F} ate the {x}, closed {f.his} eyes, and slept all night.",
        "The next day, {f} [felt well again|jumped out of bed].",
        '"Thank you, {h}," said {f}. "You are a good friend."',
        "<end>",
    ),
    {"x": MEALS},
)

RAIN = Plot(
    "rain and shelter",
    (
        "<when>, {h} <walk>. Then the sky turned dark, and it began to rain.",
        '"I must find a dry place!" said {h}. {H.he} ran as fast as {h.he} could.',
        "Soon {h.he} found {x}. It was [warm|small] and dry.",
        "Then {f.full} came by. {F} was wet and cold.",
        '"[May I come in|Can I sit with you]?" asked {f}. "Yes, come in," said {h}.',
        "Soon {g.full} came, too. {H} and {f} made room for {g}.",
        "The rain fell and the wind blew. "
        "[{H} sang a happy song, and the others sang, too.|They told funny stories and laughed.]",
        "At last, the rain stopped and the sun came out. They saw a big rainbow in the sky!",
        '"[Look|How pretty]!" said {h}. [They all jumped in the puddles.|They all looked up and smiled.]',
        "From that day on, {h}, {f} and {g} were good friends. [<end>|]",
    ),
    {"x": ("a big leaf", "a cave", "an old boat")},
)

PLOTS = (STUCK, SICK, RAIN)
