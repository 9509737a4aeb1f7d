"""The tales: the same bytes everywhere, and good English."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from model.datasets.story.grammar import Character, Scene, Thing, expand, polish
from model.datasets.story.plot import tell
from model.datasets.story.prng import SplitMix64
from model.datasets.story.words import ANIMALS, CHILDREN, PHRASES
from model.datasets.tales import LONGEST, PLOTS, SHORTEST, corpus, main
from model.program import InputError

SHORT_SHA256 = "4d7625140d361dc5ddeee723a679740da20b535216a7b53fbc71efec13bc9dc7"  # seed 7, 60,000 bytes: smoke
FULL_SHA256 = "fd33031fe18c735481c5cebf07d3a17182af0faf79d26632851bf41521f008c5"  # seed 1, 4,000,000 bytes: tales
SIZE = 4_000_000


@pytest.fixture(scope="module")
def text() -> str:
    """The dataset of images/tales.yaml."""
    return corpus(1, SIZE).decode("ascii")


@pytest.fixture(scope="module")
def tales(text: str) -> list[str]:
    return text.removesuffix("\n\n").split("\n\n")


def words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


def test_the_bytes_are_pinned(text: str) -> None:
    assert hashlib.sha256(corpus(7, 60_000)).hexdigest() == SHORT_SHA256
    assert hashlib.sha256(text.encode()).hexdigest() == FULL_SHA256


def test_another_seed_gives_other_tales(text: str) -> None:
    assert corpus(2, 60_000) != text[:60_000].encode()
    assert not set(corpus(2, 60_000).decode().split("\n\n")[:-1]) & set(text.split("\n\n"))


def test_a_smaller_corpus_is_the_start_of_a_larger_one(text: str) -> None:
    assert text.encode().startswith(corpus(1, 100_000))


def interpreters() -> list[str]:
    """Every python3.10 or later of this machine."""
    found = [path for minor in range(10, 20) if (path := shutil.which(f"python3.{minor}"))]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found += [str(path) for path in sorted(pyenv.glob("3.1[0-9]*/bin/python3"))]
    checked = []
    for path in found:
        made = subprocess.run([path, "-c", "import sys; print(sys.version_info[:2] >= (3, 10))"], capture_output=True)
        if made.stdout.strip() == b"True":
            checked.append(path)
    return sorted(set(checked))


def test_every_python_here_gives_the_same_bytes(tmp_path: Path, root: Path) -> None:
    pythons = interpreters() or [sys.executable]
    for i, python in enumerate(pythons):
        subprocess.run(
            [python, "-m", "model.datasets.tales", "--seed", "7", "--bytes", "60000", "--out", tmp_path / str(i)],
            cwd=root, check=True,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "Asia/Tokyo", "PYTHONHASHSEED": str(i),
                 "PYTHONDONTWRITEBYTECODE": "1"},
        )
    hashes = {hashlib.sha256((tmp_path / str(i)).read_bytes()).hexdigest() for i in range(len(pythons))}
    assert hashes == {SHORT_SHA256}
    assert len(os.listdir(tmp_path)) == len(pythons)


def test_size(text: str, tales: list[str]) -> None:
    assert SIZE - LONGEST - 2 < len(text) <= SIZE
    assert all(SHORTEST <= len(tale) <= LONGEST for tale in tales)
    assert text.endswith("\n\n") and "\n\n\n" not in text


def test_characters(text: str) -> None:
    """ASCII, no template left over, no stray spaces or punctuation."""
    assert set(text) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ .,!?\"\n")
    assert not re.search(r"  |\n | \n| [.,!?]|[.,!?]{2}|[.,!?][A-Za-z]", text)


def test_no_tale_is_told_twice(tales: list[str]) -> None:
    assert len(set(tales)) == len(tales)


def test_almost_no_two_tales_differ_in_a_name_alone(tales: list[str]) -> None:
    names = "|".join(c.name for c in (*ANIMALS, *CHILDREN))
    kinds = "|".join(c.kind for c in (*ANIMALS, *CHILDREN))
    nameless = [re.sub(rf"\b({names}|{kinds}|he|she|his|her|him)\b", "*", tale, flags=re.I) for tale in tales]
    assert len(set(nameless)) > 0.95 * len(tales)


def test_every_word_is_listed_and_every_listed_word_is_used(text: str) -> None:
    listed = (Path(__file__).parent / "tales_words.txt").read_text().split()
    assert listed == sorted(set(listed))
    assert sorted(set(words(text))) == listed


def test_every_word_is_common(text: str) -> None:
    """A word that is seldom seen cannot be learned in a minute."""
    assert min(Counter(words(text)).values()) >= 90


def test_a_or_an(text: str) -> None:
    for article, following in re.findall(r"\b(an?) (\w+)", text, flags=re.I):
        assert (article.lower() == "an") == (following[0].lower() in "aeiou"), (article, following)


def test_sentences_start_with_a_capital(tales: list[str]) -> None:
    for tale in tales:
        assert tale[0].isupper()
        for end, start in re.findall(r"([.!?]) ([a-z])", tale):
            raise AssertionError(f"{end} {start} in {tale}")
        assert tale[-1] in ".!?" or tale[-2:] in ('."', '!"', '?"')


def test_quotes_close_before_the_next_opens(tales: list[str]) -> None:
    for tale in tales:
        parts = tale.split('"')
        assert len(parts) % 2 == 1, tale
        for before, spoken in zip(parts[::2], parts[1::2], strict=False):
            assert spoken[0].isupper() or before.endswith(", "), tale
            assert spoken[-1] in ".,!?", tale
        for between in parts[2:-1:2]:
            assert between.startswith(" ") and between.endswith(" "), tale


def test_pronouns_agree(tales: list[str]) -> None:
    """In a tale whose named characters are all he (or all she), nobody is the other."""
    people = {c.name: c for c in (*ANIMALS, *CHILDREN)}
    for tale in tales:
        told = set(words(tale))
        female = {people[name].female for name in set(re.findall(r"[A-Z][a-z]+", tale)) & set(people)}
        assert female, tale
        if female == {False} and not told & {"mom", "mother"}:
            assert not told & {"she", "her"}, tale
        if female == {True}:
            assert not told & {"he", "his", "him"}, tale


def test_most_tales_begin_once_upon_a_time(tales: list[str]) -> None:
    assert sum(tale.startswith("Once upon a time") for tale in tales) > 0.75 * len(tales)


def test_every_plot_is_told_about_as_often(tales: list[str]) -> None:
    signs = {
        "lost and found": "I lost my", "a gift for mom": "will make", "the little one": "I cannot find my mom",
        "stuck": "was stuck", "a sick friend": "A sick friend", "rain and shelter": "rainbow",
        "fear overcome": "was not afraid of", "a new friend": "not lonely any more", "the seed": "My seed",
        "a sleepless night": "said the moon", "making something together": "make anything",
        "sharing": "good to share", "the surprise": "Surprise!",
    }
    assert {plot.name for plot in PLOTS} == set(signs)
    for name, sign in signs.items():
        share = sum(sign in tale for tale in tales) / len(tales)
        assert 0.6 / len(PLOTS) < share < 1.6 / len(PLOTS), (name, share)


def test_every_plot_fits_its_bounds() -> None:
    """Few tales are thrown away for their length, whatever the plot."""
    rng = SplitMix64(3)
    for plot in PLOTS:
        lengths = [len(tell(plot, rng)) for _ in range(100)]
        assert sum(SHORTEST <= n <= LONGEST for n in lengths) >= 95, plot.name


# -- the grammar --


def scene(**slots: object) -> Scene:
    return Scene(slots, PHRASES)  # type: ignore[arg-type]


def test_expand() -> None:
    rosie, berries = Character("Rosie", "rabbit", True), Thing("ripe berries", plural=True)
    s = scene(h=rosie, x=berries, y=Thing("orange hat"), p="the pond", q={"": "kite", "a": "a {y}"})
    rng = SplitMix64(1)
    for template, text in (
        ("{h}, {h.full}, {H.he} {h.him} {h.his} {h.himself}", "Rosie, Rosie the rabbit, She her her herself"),
        ("{x} {x.a} {X.it} {x.them} {x.was}", "ripe berries some ripe berries They them were"),
        ("{y.a} {y.it} {y.was} {P} {q} {q.a}", "a orange hat it was The pond kite a orange hat"),
        ("[a[b|b]|a[b]]c[]", "abc"),
    ):
        assert expand(template, s, rng) == text
    assert polish(" A  old owl and a  apple, a big a. ") == "An old owl and an apple, a big a."


def test_expand_draws_each_alternative_alike() -> None:
    rng = SplitMix64(5)
    drawn = Counter(expand("[one|two|[three|four]|]", scene(), rng) for _ in range(4000))
    assert drawn.keys() == {"one", "two", "three", "four", ""}
    assert all(abs(drawn[k] - 1000) < 150 for k in ("one", "two", ""))
    assert all(abs(drawn[k] - 500) < 120 for k in ("three", "four"))


@pytest.mark.parametrize("template", ["{nobody}", "{h.hers}", "{p.form}", "<nothing>", "[open", "{open", "<open"])
def test_a_wrong_template_is_an_error(template: str) -> None:
    with pytest.raises((KeyError, ValueError)):
        expand(template, scene(h=ANIMALS[0], p="the pond"), SplitMix64(1))


def test_characters_are_distinct() -> None:
    everyone = (*ANIMALS, *CHILDREN)
    assert len({c.name for c in everyone}) == len(everyone)
    assert {True, False} == {c.female for c in ANIMALS} == {c.female for c in CHILDREN}


# -- the random numbers --


def test_splitmix64_is_the_published_one() -> None:
    """First outputs for the seed 1234567, from the reference implementation (prng.di.unimi.it)."""
    rng = SplitMix64(1234567)
    assert [rng.next() for _ in range(5)] == [
        6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821,
    ]


def test_sample_takes_different_items() -> None:
    rng = SplitMix64(1)
    for _ in range(200):
        assert len(set(rng.sample(range(5), 4))) == 4
    assert sorted(rng.sample("abc", 3)) == ["a", "b", "c"]
    with pytest.raises(ValueError, match="cannot take 4 of 3"):
        rng.sample("abc", 4)


# -- the program --


def test_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "corpus.txt"
    assert main(["--seed=7", "--bytes=60000", f"--out={out}"]) == 0
    assert hashlib.sha256(out.read_bytes()).hexdigest() == SHORT_SHA256
    assert main(["--seed=7", "--bytes=10", f"--out={out}"]) == 1
    error, hint = capsys.readouterr().err.splitlines()
    assert error == "error: no story fits into 10 bytes" and hint.startswith("hint: ")
    assert main(["--seed=7", "--bytes=60000", f"--out={tmp_path}/absent/corpus.txt"]) == 1
    assert "absent" in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["corpus.txt"]
    with pytest.raises(SystemExit):
        main(["--see=7", "--bytes=60000", f"--out={out}"])


def test_too_small() -> None:
    with pytest.raises(InputError):
        corpus(1, 0)
