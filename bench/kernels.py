"""What one core makes of each kernel table: nanoseconds a block of 32 products and GB/s of weights, on this CPU
and, where qemu-x86_64 is installed, emulated as on a machine without hardware virtualisation."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.cbuild import build_objects, run  # noqa: E402

TABLES = ["scalar", "sse2", "avx2", "avx512", "avx512vnni"]
COLUMNS = 768
QEMU = ["qemu-x86_64", "-cpu", "max"]


def measure(title: str, command: list[str], rows: int) -> None:
    """Prints a line for each table and kind of weight."""
    print(f"{title}: {rows} rows of {COLUMNS}\n{'':12}{'weights':10}{'ns/block':>10}{'GB/s':>8}")
    for table in TABLES:
        done = subprocess.run([*command, table, str(COLUMNS), str(rows)], capture_output=True, text=True)
        if done.returncode == 77:
            print(f"{table:12}this CPU cannot run it")
            continue
        if done.returncode != 0:
            sys.exit(f"{' '.join(done.args)}: exit {done.returncode}\n{done.stderr}")
        for line in done.stdout.splitlines():
            kind, ns, size, products = line.split(",")
            print(f"{table:12}{kind:10}{float(ns) / float(products) * 32:10.2f}{float(size) / float(ns):8.2f}")


def main() -> None:
    """Compiles bench/kernels.c with the project's flags and runs it."""
    with tempfile.TemporaryDirectory() as folder:
        objects = build_objects(Path(folder), ("kernels",), (), [ROOT / "bench" / "kernels.c"])
        program = f"{folder}/bench"
        run(["gcc", *map(str, objects), "-o", program])
        measure("native, in the cache", [program], 1024)
        measure("native, from memory", [program], 65536)
        if shutil.which(QEMU[0]):
            measure("emulated", [*QEMU, program], 1024)


if __name__ == "__main__":
    main()
