"""A chart of a rung, as an SVG that lies inside the page."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

from toolchain.release.curve import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, thin, ticks

Line = Sequence[tuple[float, float]]
COLOURS = 3  # classes c0, c1, c2 of page.html


def chart(across: str, up: str, lines: Mapping[str, Line]) -> str:
    """The figure: a line each, few points also as dots."""
    drawn = {name: thin([(float(x), float(y)) for x, y in line]) for name, line in lines.items() if line}
    every = [point for line in drawn.values() for point in line]
    if not every:
        return ""
    x0, x1 = min(x for x, _ in every), max(x for x, _ in every)
    low, high = min(0.0, min(y for _, y in every)), max(y for _, y in every)
    x1, high = max(x1, x0 + 1e-9), high + max((high - low) * 0.06, 1e-9)

    def at(x: float, y: float) -> tuple[str, str]:
        return (f"{LEFT + (x - x0) / (x1 - x0) * (WIDTH - LEFT - RIGHT):.1f}",
                f"{TOP + (high - y) / (high - low) * (HEIGHT - TOP - BOTTOM):.1f}")

    right, foot = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = []
    for value in ticks(low, high, 6):
        _, y = at(x0, value)
        parts.append(f'<line x1="{LEFT}" x2="{right}" y1="{y}" y2="{y}"/>'
                     f'<text class="y" x="{LEFT - 8}" y="{y}" dy="0.34em">{value:.4g}</text>')
    for value in ticks(x0, x1, 6):
        x, _ = at(value, low)
        end = " end" if float(x) > WIDTH - 60 else ""  # the last number must not leave the picture
        label = f"{value:,.0f}" if value == int(value) else f"{value:.3g}"
        parts.append(f'<line class="axis" x1="{x}" x2="{x}" y1="{foot}" y2="{foot + 5}"/>'
                     f'<text class="x{end}" x="{x}" y="{foot + 8}" dy="0.8em">{label}</text>')
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{right}" y1="{foot}" y2="{foot}"/>')
    for number, line in enumerate(drawn.values()):
        places = [at(*point) for point in line]
        kind = f"c{number % COLOURS}"
        points = " ".join(f"{x},{y}" for x, y in places)
        parts.append(f'<polyline class="{kind}" points="{points}"/>')
        if len(line) <= 60:
            parts += [f'<circle class="{kind}" cx="{x}" cy="{y}" r="3.5"/>' for x, y in places]
    keys = " ".join(f'<span class="key c{number % COLOURS}">{html.escape(name)}, at the end {line[-1][1]:.4g}</span>'
                    for number, (name, line) in enumerate(drawn.items()))
    title = html.escape(f"{up} by {across}: " + "; ".join(
        f"{name} from {line[0][1]:.4g} to {line[-1][1]:.4g}" for name, line in drawn.items()))
    return (f'<figure><figcaption>{keys}</figcaption>\n<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            f'aria-label="{title}">\n' + "\n".join(parts) + f'\n</svg>\n<p class="unit">across: {html.escape(across)}; '
            f"up: {html.escape(up)}</p></figure>")
