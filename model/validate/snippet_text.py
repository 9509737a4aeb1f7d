"""Short Python functions to learn from, and five prompts whose functions are not among them.

A function is a pattern (`add`, `last`, …) with names from a list: of every pattern the text holds each list of names
but those that HELD_OUT gives to a prompt. So `def add(x, y)` and every other addition but that of `left` and `right`
are in the text, and so is every other function of `left` and `right`: what a prompt asks for has to be put together
from the two. The first word after `return` cannot be recited, it has to be read off the prompt.
"""

from __future__ import annotations

import random

from model.tokenizers.table import NORMAL, Table

PAIRS = [("a", "b"), ("x", "y"), ("m", "n"), ("p", "q"), ("u", "v"), ("i", "j"), ("s", "t"), ("c", "d"),
         ("left", "right"), ("one", "two"), ("low", "high"), ("old", "new"), ("first", "second"), ("width", "height"),
         ("start", "end"), ("this", "that"), ("price", "count"), ("rate", "time"), ("top", "bottom"), ("age", "size")]
NUMBERS = ["n", "x", "k", "i", "value", "number", "count", "size", "total", "age", "year", "index", "step", "score",
           "level", "price", "width", "depth", "month", "limit"]
MANY = [("item", "items"), ("word", "words"), ("name", "names"), ("line", "lines"), ("row", "rows"), ("key", "keys"),
        ("value", "values"), ("file", "files"), ("user", "users"), ("page", "pages"), ("node", "nodes"),
        ("point", "points"), ("card", "cards"), ("path", "paths"), ("token", "tokens"), ("note", "notes"),
        ("song", "songs"), ("tree", "trees"), ("bird", "birds"), ("player", "players")]

# One for each pair of names, one for each number's name, one for each name of a thing and of many such.
OF_PAIRS = {
    "add": "def add({0}, {1}):\n    return {0} + {1}\n",
    "subtract": "def subtract({0}, {1}):\n    return {0} - {1}\n",
    "multiply": "def multiply({0}, {1}):\n    return {0} * {1}\n",
    "divide": "def divide({0}, {1}):\n    return {0} / {1}\n",
    "largest": "def largest({0}, {1}):\n    return max({0}, {1})\n",
    "equal": "def equal({0}, {1}):\n    return {0} == {1}\n",
    "swap": "def swap({0}, {1}):\n    return {1}, {0}\n",
}
OF_NUMBERS = {
    "is_even": "def is_even({0}):\n    return {0} % 2 == 0\n",
    "is_odd": "def is_odd({0}):\n    return {0} % 2 == 1\n",
    "square": "def square({0}):\n    return {0} * {0}\n",
    "double": "def double({0}):\n    return 2 * {0}\n",
    "negate": "def negate({0}):\n    return -{0}\n",
    "next_of": "def next_of({0}):\n    return {0} + 1\n",
    "positive": "if {0} > 0:\n    print({0})\n",
    "count_to": "for i in range({0}):\n    print(i)\n",
}
OF_MANY = {
    "first": "def first({1}):\n    return {1}[0]\n",
    "last": "def last({1}):\n    return {1}[-1]\n",
    "length": "def length({1}):\n    return len({1})\n",
    "ordered": "def ordered({1}):\n    return sorted({1})\n",
    "loop": "for {0} in {1}:\n    print({0})\n",
    "append": "{1} = []\n{1}.append({0})\n",
    "is_empty": "def is_empty({1}):\n    return len({1}) == 0\n",
}

# prompt -> the lines that complete it correctly
PROMPTS = {
    "def add(left, right):\n    return ": ("left + right", "right + left"),
    "def is_even(score):\n    return ": ("score % 2 == 0", "not score % 2", "not score & 1"),
    "def last(words):\n    return ": ("words[-1]", "words[len(words) - 1]"),
    "for bird in birds:\n    ": ("print(bird)",),
    "def square(width):\n    return ": ("width * width", "width ** 2", "width**2"),
}
HELD_OUT = {("add", "left"), ("is_even", "score"), ("last", "word"), ("loop", "bird"), ("square", "width")}


def functions() -> list[str]:
    """Every function of the text, each once."""
    return [pattern.format(*names) for table, lists in ((OF_PAIRS, PAIRS), (OF_NUMBERS, [(n,) for n in NUMBERS]),
                                                        (OF_MANY, MANY))
            for what, pattern in table.items() for names in lists if (what, names[0]) not in HELD_OUT]


def text(seed: int, times: int) -> str:
    """All functions `times` times, each time in another order, an empty line after each."""
    shuffle, found = random.Random(seed), []
    for _ in range(times):
        every = functions()
        shuffle.shuffle(every)
        found += every
    return "\n".join(found)


def table() -> Table:
    """93 characters: newline, and those of ASCII that Python needs (no `, ~ and $)."""
    chars = "\n" + "".join(chr(code) for code in range(32, 127) if chr(code) not in "`~$")
    return Table("chars", tuple(char.encode() for char in chars), (NORMAL,) * len(chars))
