"""The loss curve, as an SVG that lies inside the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 640, 340
LEFT, RIGHT, TOP, BOTTOM = 60, 14, 10, 42  # room for the axes' numbers, which grow on small screens
MOST = 800  # points drawn
LIMIT = 1e12  # of steps and losses, either side of zero


@dataclass(frozen=True)
class Point:
    """One line of train.jsonl, within LIMIT: nothing overflows then."""

    step: int
    loss: float
    val_loss: float | None

    @property
    def fits(self) -> bool:
        """Whether it can be drawn."""
        return all(abs(value) < LIMIT for value in (self.step, self.loss, self.val_loss or 0.0))  # nan: no


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers from `low` to `high`, at most `most`."""
    span = high - low
    unit = 10.0 ** math.floor(math.log10(span / most))
    step = next((unit * by for by in (1, 2, 5, 10) if span / (unit * by) < most), unit * 20)
    first = math.ceil(low / step - 1e-9)
    return [(first + i) * step for i in range(most + 1) if (first + i) * step <= high + step * 1e-9]


def thin(line: Sequence[tuple[float, float]], most: int = MOST) -> list[tuple[float, float]]:
    """No more than `most` points, each the mean of its neighbours; the last one stays."""
    if len(line) <= most:
        return list(line)
    size = math.ceil(len(line) / (most - 1))
    groups = [line[i:i + size] for i in range(0, len(line), size)]
    return [(sum(x for x, _ in g) / len(g), sum(y for _, y in g) / len(g)) for g in groups] + [line[-1]]


def figure(points: Sequence[Point]) -> str:
    """The figure, or a sentence where there is nothing to draw."""
    train = thin([(point.step, point.loss) for point in points])
    val = thin([(point.step, point.val_loss) for point in points if point.val_loss is not None])
    every = [*train, *val]
    if len(train) < 2:
        return "<p>No losses were recorded: the weights were not trained here.</p>"
    x0, x1 = min(0.0, min(x for x, _ in every)), max(x for x, _ in every)
    low, high = min(y for _, y in every), max(y for _, y in every)
    room = max((high - low) * 0.06, 1e-3 * (1 + abs(high)))
    low, high = (0.0 if 0 <= low < room else low - room), high + room
    x1 = max(x1, x0 + 1)

    def at(x: float, y: float) -> tuple[str, str]:
        across = LEFT + (x - x0) / (x1 - x0) * (WIDTH - LEFT - RIGHT)
        return f"{across:.1f}", f"{TOP + (high - y) / (high - low) * (HEIGHT - TOP - BOTTOM):.1f}"

    parts = []
    right, foot = WIDTH - RIGHT, HEIGHT - BOTTOM
    for value in ticks(low, high, 6):
        _, y = at(x0, value)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{y}" y2="{y}"/>'
                     f'<text class="y" x="{LEFT - 8}" y="{y}" dy="0.34em">{value:.4g}</text>')
    for value in ticks(x0, x1, 6):
        x, _ = at(value, low)
        end = " end" if float(x) > WIDTH - 60 else ""  # the last number must not leave the picture
        parts.append(f'<line class="tick" x1="{x}" x2="{x}" y1="{foot}" y2="{foot + 5}"/>'
                     f'<text class="x{end}" x="{x}" y="{foot + 8}" dy="0.8em">{_number(value)}</text>')
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{right}" y1="{foot}" y2="{foot}"/>')
    parts.append(_line("train", [at(*point) for point in train]))
    if val:
        parts.append(_line("val", [at(*point) for point in val]))
        parts += [f'<circle class="val" cx="{x}" cy="{y}" r="3.5"/>' for x, y in (at(*point) for point in val[-40:])]
    what = f"Loss over {_number(x1)} steps: training goes from {train[0][1]:.3f} to {train[-1][1]:.3f}"
    what += f", validation from {val[0][1]:.3f} to {val[-1][1]:.3f}." if val else "."
    legend = f'<span class="key train">training, at the end {train[-1][1]:.3f}</span>'
    legend += f' <span class="key val">validation, at the end {val[-1][1]:.3f}</span>' if val else ""
    return (f'<figure><figcaption>{legend}</figcaption>\n<svg id="loss" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            f'aria-labelledby="loss-title"><title id="loss-title">{what}</title>\n' + "\n".join(parts)
            + '\n</svg>\n<p class="unit">across: training steps; up: loss (nats per byte)</p></figure>')


def _line(name: str, at: Sequence[tuple[str, str]]) -> str:
    return f'<polyline class="{name}" points="{" ".join(f"{x},{y}" for x, y in at)}"/>'


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:.3g}"
