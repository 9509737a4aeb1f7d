"""The image with a signed EFI program in it: the image's own stage, run once more outside the store."""

from __future__ import annotations

import shutil
from pathlib import Path

from toolchain.errors import UserError
from toolchain.executors import Job
from toolchain.plugin import Session
from toolchain.release import EFI
from toolchain.stage import Ref, Stage


def image_around(current: Session, stage: Stage, program: Path, work: Path) -> Path:
    """The image that the stage makes when its EFI program is `program`; it lies in `work`, an empty folder.

    Label, layout and the other files are those of the unsigned image. A signature differs from run to run, so none
    of this is stored.
    """
    graph, blobs = current.graph, {}
    for path, source in stage.inputs.items():
        dest = work / path
        dest.parent.mkdir(parents=True, exist_ok=True)
        if not isinstance(source, Ref):
            shutil.copyfile(current.root / source, dest)
            dest.chmod(0o644)
        elif source.path == EFI:
            shutil.copyfile(program, dest)
            dest.chmod(0o644)
        else:
            result = graph.result(source.stage)
            assert result is not None
            blobs[path] = graph.store.verified(result.output(source.path).sha256, read=True)
    said: list[str] = []
    status = graph.executor.run(Job("image (signed)", stage.argv, work, stage.root, blobs), said.append)
    image = work / stage.outputs[0]
    if status != 0 or not image.is_file() or image.is_symlink():
        raise UserError(f"the image around the signed program could not be made: {said[-1] if said else status}",
                        "run the same command again; debug=1 shows more")
    return image
