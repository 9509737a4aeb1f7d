"""Pictures as PNG and PDF, the same bytes for the same input: loss curves, what temperature does, attention maps."""

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
    return _save(_draw(read_log(train_jsonl)), out_dir, "loss")


def pictures(found: dict[str, Any], out_dir: Path) -> list[Path]:
    """temperature.png and attention.png, and both as PDF, of what model/pictures.py has written."""
    return [*_save(_temperature(found), out_dir, "temperature"), *_save(_attention(found), out_dir, "attention")]


def _save(figure: Any, out_dir: Path, name: str) -> list[Path]:
    out_dir.mkdir(parents=True, exist_ok=True)
    made = []
    for kind, metadata in NO_DATES.items():
        path = out_dir / f"{name}.{kind}"
        part = out_dir / f".{name}.part.{kind}"
        try:
            figure.savefig(part, format=kind, metadata=metadata)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        made.append(path)
    return made


def _shown(text: str) -> str:
    """A token as a label: matplotlib must neither see mathematics in it nor an empty word."""
    names = {" ": "space", "\n": "newline", "\t": "tab", "": "nothing"}
    return names.get(text, "".join(c if c.isprintable() else "·" for c in text).replace("$", r"\$"))


def _temperature(found: dict[str, Any]) -> Any:
    """The chances of the likeliest next tokens, a row of bars for each temperature."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes, places = figure.subplots(), range(len(found["next"]))
    share = 0.8 / len(found["chances"])
    for number, (temp, chances) in enumerate(found["chances"].items()):
        axes.bar([at + (number - (len(found["chances"]) - 1) / 2) * share for at in places], chances, width=share,
                 color=(RATE, TRAINING, HELD_OUT)[number % 3], label=f"temperature {temp}")
    axes.set_xticks(list(places), [_shown(word) for word in found["next"]], rotation=45, ha="right")
    axes.set_ylabel("chance", color=INK)
    axes.set_xlabel(f"next token after: {_shown(found['prompt'][-40:])}", color=INK)
    axes.legend(frameon=False, labelcolor=INK)
    axes.grid(axis="y", color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
    return figure


def _attention(found: dict[str, Any]) -> Any:
    """A map for each head, layers from top to bottom: dark is much; across the tokens looked at, down who looks."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    layers, tokens = found["attention"], [_shown(token) for token in found["tokens"]]
    heads = max(len(layer) for layer in layers)
    figure = Figure(figsize=(3.2 * heads, 3.2 * len(layers)), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    size = max(3.0, min(8.0, 160 / len(tokens)))
    grid = figure.subplots(len(layers), heads, squeeze=False)
    for i, layer in enumerate(layers):
        for j, head in enumerate(layer):
            axes = grid[i][j]
            axes.imshow(head, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
            axes.set_title(f"layer {i + 1}, head {j + 1}", fontsize=9, color=INK)
            axes.set_xticks(range(len(tokens)), tokens, rotation=90, fontsize=size)
            axes.set_yticks(range(len(tokens)), tokens, fontsize=size)
            axes.tick_params(colors=INK, length=0)
            axes.spines[:].set_color(FAINT)
    return figure


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
