"""Every table of kernels gives the bits of the scalar one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cbuild import SOURCES, flags_of, run


@pytest.mark.parametrize("table", ["sse2", "avx2", "avx512", "avx512vnni"])
@pytest.mark.parametrize("seed", [1, 2])
def test_same_bits_as_scalar(fuzz: Path, table: str, seed: int) -> None:
    done = subprocess.run([fuzz, table, str(seed), "1000"], capture_output=True, text=True)
    if done.returncode == 77:
        pytest.skip(f"this CPU lacks {table}")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["scalar", "scalar_quant", "sse2", "avx2", "avx512", "avx512vnni"])
def test_no_fused_multiplication(tmp_path: Path, name: str) -> None:
    """FMA would change the bits: none may be in the objects, whatever instructions are allowed."""
    source = SOURCES / "kernels" / f"{name}.c"
    run(["gcc", *flags_of(source), "-c", str(source), "-o", str(tmp_path / "kernel.o")])
    code = subprocess.run(["objdump", "-d", str(tmp_path / "kernel.o")], capture_output=True, text=True, check=True)
    assert "mulps" in code.stdout or "mulss" in code.stdout
    assert "fmadd" not in code.stdout and "fmsub" not in code.stdout and "fnmadd" not in code.stdout


def test_a_table_that_gives_other_bits_is_never_chosen(tmp_path: Path) -> None:
    """avx2.c with fused multiplications stands in for a broken table."""
    objects = []
    for name in ("scalar", "scalar_quant", "quant", "sse2", "avx2", "avx512", "avx512vnni", "cpu", "select"):
        source = SOURCES / "kernels" / f"{name}.c"
        wrong = ["-mfma", "-ffp-contract=fast"] if name == "avx2" else []
        objects.append(str(tmp_path / f"{name}.o"))
        run(["gcc", *flags_of(source), *wrong, "-c", str(source), "-o", objects[-1]])
    program = tmp_path / "choose"
    (tmp_path / "choose.c").write_text(CHOOSE)
    run(["gcc", f"-I{SOURCES}", str(tmp_path / "choose.c"), *objects, "-o", str(program)])
    for wanted in ("auto", "avx2"):
        done = subprocess.run([program, wanted], capture_output=True, text=True)
        if done.returncode == 77:
            pytest.skip("this CPU lacks avx2")
        if wanted == "auto":
            assert done.returncode == 0 and "avx2" not in done.stdout.split("+"), done.stdout
        else:
            assert done.returncode == 1 and done.stdout == "kernel avx2 gives other bits than scalar on this CPU\n"


CHOOSE = """
#include "kernels/cpu.h"
#include "kernels/select.h"
#include <stdio.h>
#include <time.h>
static uint64_t now(void *ctx) { (void)ctx; return (uint64_t)clock() * 1000000 / CLOCKS_PER_SEC; }
int main(int argc, char **argv) {
    struct cpu_leaves leaves = cpu_detect();
    struct selection out;
    struct error error;
    if (argc != 2 || !(cpu_features(&leaves) & CPU_AVX2)) return 77;
    if (kernels_select(&out, argv[1], cpu_features(&leaves), now, NULL, &error) != OK) {
        puts(error.text);
        return 1;
    }
    if (out.trial[2].correct) return 2;
    printf("%s", out.chosen->name);
    return 0;
}
"""
