"""`./doit infer`: a trained model continues a prompt in PyTorch, by a strategy that is named."""

from __future__ import annotations

from pathlib import Path

from toolchain import ml
from toolchain.commands import IngotCommand
from toolchain.errors import UserError
from toolchain.plugin import Session

VARIABLES = {
    "strategy": "infer: greedy, temperature, top_k, top_p or min_p (default: greedy)",
    "k": "test: only the tests whose names match (pytest -k); infer strategy=top_k: of so many tokens (default: 50)",
    "p": "infer strategy=top_p: of those that make up this share (default: 0.9)",
    "max_tokens": "infer, compare: new tokens (default: 50)",
    "repeat": "infer: repetition penalty (default: 1, off)",
}

FLAGS = ("prompt", "strategy", "k", "p", "temp", "min_p", "max_tokens", "seed", "repeat")


class Infer(IngotCommand):
    """Python beside the engine: the same model, the same rules, to read and to try things with."""

    name = "infer"
    doc_purpose = "let an image's model continue a prompt in PyTorch, by a decoding strategy"
    doc_usage = ('prompt="..." [image=NAME] [strategy=greedy|temperature|top_k|top_p|min_p] [k=N] [p=F] [temp=F] '
                 "[max_tokens=N] [seed=N] [repeat=F]")

    def go(self, current: Session, names: list[str]) -> int:
        """stdout is the text and nothing else."""
        if "prompt" not in current.given:
            raise UserError(f"{self.name} needs a prompt", f'{self.name} prompt="Once upon a time"')
        self.trained(current)
        words = [word for flag in FLAGS if flag in current.given
                 for word in (f"--{flag.replace('_', '-')}", current.given[flag])]
        files = of_image(current)
        ml.run(current, "model.infer", [*arguments(files), *words], files, Path("build"), print)
        return 0

    def trained(self, current: Session) -> None:
        """Brings the image's trained model up to date."""
        if not current.is_stage("train"):
            raise UserError(f"image={current.get('image', 'tales')} trains no model",
                            "take the image of a recipe that does: image=tales")
        self.bring(["train"])


def of_image(current: Session) -> dict[str, Path]:
    """The files of the image's trained model, by their names there."""
    folder = Path("build") / current.get("image", "tales")
    return {name: folder / name for name in ("model.safetensors", "weights.bin", "tokenizer.json")
            if (folder / name).exists()}


def arguments(files: dict[str, Path]) -> list[str]:
    """What the programs of model/ want of them."""
    model = "model.safetensors" if "model.safetensors" in files else "weights.bin"
    return [model, *(["--tokenizer", "tokenizer.json"] if "tokenizer.json" in files else [])]
