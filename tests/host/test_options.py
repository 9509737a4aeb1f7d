"""The command line: what is refused, and how; --bench; files that are no models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.host.conftest import SHAPE, TENSORS, Run


@pytest.mark.parametrize(("words", "error"), [
    ((), "no model file given"),
    (("M", "-t"), "a value is missing after: -t"),
    (("M", "-t", "hot"), "temp must be a number from 0 to 100, not hot"),
    (("M", "-p", ""), "top_p must be a number from 0 to 1, not "),
    (("M", "-s", "-3"), "seed must be a whole number from 0 to 18446744073709551615, not -3"),
    (("M", "-n", "many"), "-n must be a whole number, not: many"),
    (("M", "--tokens", "0"), "max_tokens must be a whole number from 1 to 1000000, not 0"),
    (("M", "--top-k", "1.5"), "top_k must be a whole number from 0 to 1000000, not 1.5"),
    (("M", "-n", "3", "--tokens", "3"), "-n and --tokens exclude each other"),
    (("M", "--bench", "--chat"), "--bench and --chat exclude each other"),
    (("M", "--batch", "0"), "--batch must be a whole number from 1 to 32, not: 0"),
    (("M", "--batch", "33"), "--batch must be a whole number from 1 to 32, not: 33"),
    (("M", "-j", "0"), "-j must be a whole number from 1 to 64, not: 0"),
    (("M", "-j", "65"), "-j must be a whole number from 1 to 64, not: 65"),
    (("M", "-j", "two"), "-j must be a whole number from 1 to 64, not: two"),
    (("M", "-j", "18446744073709551617"), "-j must be a whole number from 1 to 64, not: 18446744073709551617"),
    (("M", "--bensh"), "no such option: --bensh"),
    (("M", "N"), "a second model: N"),
])
def test_wrong_words(run: Run, words: tuple[str, ...], error: str) -> None:
    done = run(*words, status=2)
    lines = done.stderr.decode().splitlines()
    assert lines[0] == f"ingot: {error}"
    assert lines[1].startswith("hint: ")
    assert len(lines) == 2
    assert done.stdout == b""


def test_help(run: Run) -> None:
    assert run("--help").stdout.startswith(b"usage: ingot MODEL [options]\n")


def test_out_of_range_as_llama2c_has_it(run: Run, tiny: Path) -> None:
    """-t below 0 is 0, -p outside 0 to 1 is 0.9."""
    def text(*words: str) -> bytes:
        return run(tiny, "-i", "Once", "-s", "3", "--tokens", "30", *words).stdout

    assert text("-t", "-1") == text("-t", "0")
    assert text("-p", "7") == text("-p", "-1") == text("-p", "0.9") == text()
    assert text("-t", "1") != text("-t", "0")


def test_any_number_of_threads_writes_the_same_text(run: Run, tiny: Path) -> None:
    texts = {run(tiny, "-i", "Once", "-s", "3", "--tokens", "30", *words).stdout
             for words in ((), ("-j", "1"), ("-j", "2"), ("-j", "3"), ("-j", "64"))}
    assert len(texts) == 1


@pytest.mark.parametrize(("content", "error"), [
    (None, "No such file or directory: "),
    (b"", "an empty file: "),
    (b"not a model at all", "neither a GGUF nor a llama2.c file: too short"),
    (b"not a model at all, but longer", "no GGUF file, and no llama2.c file: its width would be 544501614"),
    (b"GGUF\3\0\0\0", "the file ends inside its header"),
])
def test_no_model(run: Run, tmp_path: Path, content: bytes | None, error: str) -> None:
    path = tmp_path / "m.gguf"
    if content is not None:
        path.write_bytes(content)
    lines = run(path, status=1).stderr.decode().splitlines()
    assert lines[0].startswith(f"ingot: {error}")
    assert lines[1].startswith("hint: ")


def test_a_tokenizer_that_is_not_needed(run: Run, tiny: Path) -> None:
    done = run(tiny, "-z", tiny, status=1)
    assert done.stderr.startswith(b"ingot: a GGUF file holds its tokenizer; no other is used\nhint: ")
    assert run(tiny, "-z", "none.bin", status=1).stderr.startswith(b"ingot: No such file or directory: none.bin\n")


def test_a_directory_is_no_model(run: Run, tmp_path: Path) -> None:
    assert run(tmp_path, status=1).stderr.startswith(b"ingot: not a regular file: ")


def test_unknown_kernel(run: Run, tiny: Path) -> None:
    done = run(tiny, "--kernel", "avx", status=1)  # the exact name, not a prefix
    assert done.stderr.splitlines()[1].startswith(b"hint: ")


def test_logits_that_cannot_be_written(run: Run, tiny: Path, tmp_path: Path) -> None:
    done = run(tiny, "--logits", tmp_path / "none" / "file", status=1)
    assert done.stderr.splitlines()[-2].startswith(b"ingot: No such file or directory: ")
    done = run(tiny, "--logits", "/dev/full", status=1)
    assert b"ingot: the output could not be written\nhint: is the disk full?\n" in done.stderr


def test_bench(run: Run, tiny: Path) -> None:
    done = run(tiny, "--bench", "--kernel", "scalar", "-j", "1")
    result = json.loads(done.stdout)
    assert done.stdout.count(b"\n") == 1
    assert list(result) == ["model", "kernel", "threads", "prefill_tok_s", "decode_tok_s", "bytes_per_token"]
    assert (result["model"], result["kernel"], result["threads"]) == ("tiny", "scalar", 1)
    assert result["prefill_tok_s"] > 0 < result["decode_tok_s"]
    weights = sum(tensor.nbytes for tensor in TENSORS.values())
    assert result["bytes_per_token"] == weights - (SHAPE.context - 1) * SHAPE.width * 4  # one position's row
