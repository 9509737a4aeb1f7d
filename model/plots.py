"""The loss curve of a training log, as PNG and PDF. The same log gives the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from model.summary import Record, read_log

TRAINING, HELD_OUT, RATE, INK, FAINT = "#9db4d0", "#c0392b", "#5b8c5a", "#333333", "#d9d9d9"
NO_DATES: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


def plots(train_jsonl: Path, out_dir: Path) -> list[Path]:
    """Draws the log into out_dir/loss.png and out_dir/loss.pdf. Raises InputError or OSError."""
    records = read_log(train_jsonl)
    out_dir.mkdir(parents=True, exist_ok=True)
    made = []
    for kind, metadata in NO_DATES.items():
        path = out_dir / f"loss.{kind}"
        part = out_dir / f".loss.part.{kind}"
        try:
            _draw(records).savefig(part, format=kind, metadata=metadata)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        made.append(path)
    return made


def _draw(records: list[Record]) -> Any:
    """A matplotlib Figure: the losses above, the learning rate below."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    steps = [record.step for record in records]
    evaluated = [(record.step, record.val_loss) for record in records if record.val_loss is not None]
    figure = Figure(figsize=(8, 5), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [4, 1]})

    above.plot(steps, [record.loss for record in records], color=TRAINING, linewidth=1, label="training, one batch")
    if evaluated:
        above.plot(*zip(*evaluated, strict=True), color=HELD_OUT, linewidth=1.6, marker="o", markersize=4,
                   clip_on=False, label="held out, all of it")
        step, loss = evaluated[-1]
        above.annotate(f"{loss:.3f}", (step, loss), xytext=(-4, 9), textcoords="offset points", ha="right",
                       color=HELD_OUT, fontsize=10)
    above.set_ylabel("loss (nats a token)", color=INK)
    above.set_ylim(bottom=0)
    above.legend(frameon=False, labelcolor=INK)

    below.plot(steps, [record.lr for record in records], color=RATE, linewidth=1.2)
    below.set_ylabel("learning rate", color=INK)
    below.set_xlabel("step", color=INK)
    below.set_ylim(bottom=0)
    below.set_xlim(0, steps[-1] or 1)

    for axes in (above, below):
        axes.grid(axis="y", color=FAINT, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.tick_params(colors=INK, length=0)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.spines["bottom"].set_color(FAINT)
    below.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    below.xaxis.set_major_formatter(lambda step, _: f"{step:,.0f}")
    figure.align_ylabels()
    return figure
