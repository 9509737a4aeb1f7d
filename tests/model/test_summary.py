"""The training log as a table and as pictures."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from model.program import InputError
from model.summary import Record, Row, loss_table, read_log, table


def write(path: Path, steps: range) -> Path:
    """A log whose loss is 10 / step, evaluated every 500 steps."""
    with path.open("w") as out:
        for step in steps:
            record = {"step": step, "loss": 10 / step, "lr": 0.001}
            if step % 500 == 0:
                record["val_loss"] = 20 / step
            out.write(json.dumps(record) + "\n")
    return path


def test_rows_of_a_thousand_steps(tmp_path: Path) -> None:
    rows = loss_table(write(tmp_path / "train.jsonl", range(1, 2501)))
    assert [(row.first, row.last) for row in rows] == [(1, 1000), (1001, 2000), (2001, 2500)]
    assert rows[0].mean == pytest.approx(sum(10 / step for step in range(1, 1001)) / 1000)
    assert [row.lowest for row in rows] == [10 / 1000, 10 / 2000, 10 / 2500]
    assert [row.val_loss for row in rows] == [20 / 1000, 20 / 2000, 20 / 2500]


def test_a_log_with_few_lines(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text('{"step":1,"loss":5.5,"lr":0.1}\n{"step":40,"loss":3.5,"lr":0.1}\n')
    assert read_log(path) == [Record(1, 5.5, 0.1, None), Record(40, 3.5, 0.1, None)]
    assert loss_table(path) == [Row(1, 40, 4.5, 3.5, None)]


def test_a_thousand_belongs_to_the_first_row(tmp_path: Path) -> None:
    rows = loss_table(write(tmp_path / "train.jsonl", range(500, 1001, 500)))
    assert [(row.first, row.last, row.val_loss) for row in rows] == [(1, 1000, 0.02)]


def test_table(tmp_path: Path) -> None:
    console = pytest.importorskip("rich.console")
    write(tmp_path / "train.jsonl", range(100, 1501, 100))
    out = io.StringIO()
    console.Console(file=out, width=80).print(table(tmp_path))
    heading, first, second = (line.split() for line in out.getvalue().splitlines())
    assert heading == ["steps", "mean", "loss", "lowest", "held", "out"]
    assert first == ["1", "to", "1,000", "0.0293", "0.0100", "0.0200"]
    assert second == ["1,001", "to", "1,500", "0.0078", "0.0067", "0.0133"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "has no records"),
        ("{}", ":1: not a record"),
        ("[1]", ":1: not a record"),
        ('{"step":1,"loss":2,"lr":3}\nnonsense', ":2: not a record"),
        ('{"step":1,"loss":"high","lr":3}', ":1: not a record"),
        ('{"step":2,"loss":2,"lr":3}\n{"step":2,"loss":2,"lr":3}', ":2: step 2 after step 2"),
    ],
)
def test_damaged_log(text: str, what: str, tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        loss_table(path)
    assert f"{path}" in caught.value.what and what in caught.value.what


DRAW = "import sys, pathlib; from model.plots import plots; plots(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))"


def test_plots_are_pictures_and_the_same_each_time(tmp_path: Path, root: Path) -> None:
    pytest.importorskip("matplotlib")
    from model.plots import plots

    log = write(tmp_path / "train.jsonl", range(50, 3001, 50))
    made = plots(log, tmp_path / "a")
    assert made == [tmp_path / "a" / "loss.png", tmp_path / "a" / "loss.pdf"]
    assert made[0].read_bytes().startswith(b"\x89PNG\r\n") and made[1].read_bytes().startswith(b"%PDF-")
    assert len(made[0].read_bytes()) > 10_000
    env = {**os.environ, "PYTHONPATH": str(root), "PYTHONHASHSEED": "3", "TZ": "Asia/Tokyo", "MPLBACKEND": "pdf"}
    subprocess.run([sys.executable, "-c", DRAW, log, tmp_path / "b"], check=True, env=env)
    for path in made:
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
    shutil.rmtree(tmp_path / "b")
    plots(write(tmp_path / "other.jsonl", range(50, 2001, 50)), tmp_path / "b")
    assert (tmp_path / "b" / "loss.png").read_bytes() != made[0].read_bytes()
    assert sorted(os.listdir(tmp_path / "a")) == ["loss.pdf", "loss.png"]


def test_plots_of_one_record(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from model.plots import plots

    assert all(path.exists() for path in plots(write(tmp_path / "train.jsonl", range(40, 41)), tmp_path))


def test_plots_of_nothing(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from model.plots import plots

    (tmp_path / "train.jsonl").touch()
    with pytest.raises(InputError, match="has no records"):
        plots(tmp_path / "train.jsonl", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_pictures_of_odd_tokens(tmp_path: Path) -> None:
    plots = pytest.importorskip("model.plots")
    pytest.importorskip("matplotlib")
    found = {"prompt": "$x_", "tokens": ["$", "\n", "\x00"], "next": ["$", ""],
             "chances": {"0.3": [1, 0], "2.0": [0.5, 0.5]},
             "attention": [[[[1, 0, 0], [0.5, 0.5, 0], [0, 0, 1]]] * 2]}
    made = plots.pictures(found, tmp_path / "one")
    assert [path.name for path in made] == ["temperature.png", "temperature.pdf", "attention.png", "attention.pdf"]
    again = plots.pictures(found, tmp_path / "two")
    assert [path.read_bytes() for path in made] == [path.read_bytes() for path in again]
    assert {path.name for path in (tmp_path / "one").iterdir()} == {path.name for path in made}
