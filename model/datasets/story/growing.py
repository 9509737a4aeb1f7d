"""Plots of feeling and learning."""

from __future__ import annotations

from model.datasets.story.plot import Plot

FEAR = Plot(
    "fear overcome",
    (
        "But {h} was afraid of {x.of}. {x.so}",
        "<when>, {f.full} saw that {h} was sad. <why>",
        '"I am afraid of {x.of}," said {h}.',
        '"I was afraid, too," said {f}. "[I will stay with you|Take my hand]. We can try it together."',
        "{x.try}",
        '[{H.his} heart beat fast.|{H} wanted to run home.] "[You can do it|Be brave], {h}!" said {f}.',
        "{x.done}",
        '"[I did it|I am not afraid any more]!" said {h}. {F} gave {h} a big hug.',
        "From that day on, {h} was not afraid of {x.of}.",
        "[{H} learned that a friend can make you brave. |]<end>",
    ),
    {
        "x": (
            {
                "of": "the dark",
                "so": "Every night, {h.he} hid under the bed.",
                "try": "That night, they went out and sat down on the grass. It was very dark.",
                "done": "Then {h} looked up and saw the moon and all the stars. They were so bright!",
            },
            {
                "of": "the water",
                "so": "When the others played in the lake, {h.he} stayed on the grass.",
                "try": "They walked to the lake. {H} put one foot in the water. Then {h.he} put in the other.",
                "done": "The water was cool and soft. Soon {h} jumped and played in the lake!",
            },
            {
                "of": "the old bridge",
                "so": "When the others went across, {h.he} stayed behind.",
                "try": "They went to the bridge. {H} took one small step, and then one more.",
                "done": "Step by step, they came to the other side. The bridge was strong and safe!",
            },
            {
                "of": "the big hill",
                "so": "When the others climbed up, {h.he} stayed behind.",
                "try": "They began to climb. {H} did not look down. {H.he} looked only at the sky.",
                "done": "At last, they stood on the top. {H} could see the river, the forest and {h.his} house!",
            },
        ),
    },
    traits=("little", "little", "little", "kind", "shy"),
)

LONELY = Plot(
    "a new friend",
    (
        "But {h} had no one to play with, and {h.he} felt lonely.",
        "<when>, {h} saw someone new [by the pond|by the river|on the hill]. It was {f.full}.",
        "{F} [sat all alone|looked sad].",
        "{H} wanted to say hello, but {h.he} was [shy|afraid]. [{H.he} hid behind a tree.|]",
        '"What if {f.he} does not like me?" {h.he} thought.',
        "Then {h} had a good idea. {H.he} picked a [flower|red apple] and went to {f}.",
        '"Hello, I am {h}," {h.he} said. "This is for you. [Do you want to play|Can we be friends]?"',
        '{F} looked up and smiled. "Yes, I would like that," said {f}. "[I am new here|I was lonely, too]."',
        "They [ran down the hill|played ball|climbed a tree|sang happy songs] and laughed.",
        "{H} was not lonely any more. <ending>",
    ),
    traits=("little", "little", "little", "kind", "shy"),
)

SLEEP = Plot(
    "a sleepless night",
    (
        "One night, {h} could not sleep. {H.he} closed {h.his} eyes, but sleep did not come.",
        "{H.he} looked up at the sky. The moon was big and bright.",
        '"Moon, are you awake, too?" {h.he} asked.',
        '"Yes, I am awake," said the moon. "Tell me about your day."',
        'So {h} told the moon about {h.his} day. "I {d1}," {h.he} said. "Then I {d2}."',
        '"And what made you happy?" asked the moon. "{F.full} [gave me a big hug|played with me]," said {h}.',
        '"Then think of {f}," said the moon, "and I will [sing for you|count the stars for you]."',
        "{H} felt warm and safe and closed {h.his} eyes. Soon {h.he} was fast asleep.",
        '"Good night, little {h.kind}," said the moon.',
        "In the morning, {h} ran out to play with {f}.",
    ),
    {
        "d1 d2": (
            "played in the sun",
            "picked some flowers",
            "climbed a tree",
            "ate some berries",
            "helped my mom",
            "looked at the clouds",
        ),
    },
)

PLOTS = (FEAR, LONELY, SLEEP)
