"""The backward pass: against finite differences, and (slow) against PyTorch."""

from __future__ import annotations

import ctypes
import struct
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.cbuild import SOURCES, build
from tests.kernels.table import FUNCTIONS
from tests.train.conftest import TEXT, Run
from tests.train.reference import LAYER, batch, read_weights, shapes, split

RNG = np.random.default_rng(3)
HERE = Path(__file__).resolve().parent


def test_whole_model_in_double(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Every tensor of a two-layer model, by central differences."""
    parts = [SOURCES / "train" / f"{name}.c" for name in ("params", "work", "attention", "forward", "backward")]
    program = build(tmp_path_factory, "gradients", (), ["-Dfloat=double"], [*parts, HERE / "gradients.c"], ["-lm"])
    done = subprocess.run([program], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("tensor") == 4 + 2 * 12


# -- each kernel of the backward pass, in the scalar table (the others give the same bits) --

OPS = ("name", *FUNCTIONS)


class Table(ctypes.Structure):
    _fields_ = [(op, ctypes.c_void_p) for op in OPS]


class AdamW(ctypes.Structure):
    _fields_ = [(name, ctypes.c_float) for name in ("grad_scale", "beta1", "beta2", "keep1", "keep2", "fix1", "fix2",
                                                    "lr", "eps", "decay")]


@pytest.fixture(scope="module")
def scalar(tmp_path_factory: pytest.TempPathFactory) -> Table:
    path = build(tmp_path_factory, "table.so", ("kernels",), ["-fpic", "-fvisibility=default"], link=["-shared"])
    library = ctypes.CDLL(str(path))
    table = Table.in_dll(library, "kernels_scalar")
    table.library = library  # keeps it loaded
    return table


def call(table: Table, op: str, *args: Any) -> None:
    """One kernel, on float32 arrays, counts and floats."""
    kinds: dict[type, Any] = {np.ndarray: ctypes.c_void_p, int: ctypes.c_size_t, float: ctypes.c_float}
    values = [a.ctypes.data if isinstance(a, np.ndarray) else a for a in args]
    types = [kinds.get(type(a), type(a)) for a in args]
    ctypes.CFUNCTYPE(None, *types)(getattr(table, op))(*values)


def floats(n: int) -> NDArray[np.float32]:
    return RNG.normal(size=n).astype(np.float32)


def slope(function: Any, x: NDArray[Any], weight: NDArray[Any]) -> NDArray[np.float64]:
    """d (weight . function(x)) / dx by central differences."""
    x, h = x.astype(np.float64), 1e-6
    each = [function(x + h * row) - function(x - h * row) for row in np.eye(x.size)]
    return np.array([weight.astype(np.float64) @ change / (2 * h) for change in each])


def softmax(x: NDArray[Any]) -> NDArray[Any]:
    e = np.exp(x - x.max())
    return np.asarray(e / e.sum())


@pytest.mark.parametrize("n", [1, 5, 16, 33, 100])
def test_softmax_backward(scalar: Table, n: int) -> None:
    x, dp = floats(n), floats(n)
    got = dp.copy()
    call(scalar, "softmax_backward", got, softmax(x.astype(np.float64)).astype(np.float32), n)
    assert np.allclose(got, slope(softmax, x, dp), atol=1e-6)


@pytest.mark.parametrize("n", [2, 5, 16, 33, 100])
def test_layernorm_backward(scalar: Table, n: int) -> None:
    x, w, b, dy = floats(n), floats(n), floats(n), floats(n)

    def norm(x: NDArray[Any], w: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        centred = x - x.mean()
        return np.asarray(centred / np.sqrt((centred**2).mean() + 1e-5) * w + b)

    dx, dw, db = (np.ones(n, np.float32) for _ in range(3))  # they are added to
    call(scalar, "layernorm_backward", dx, dw, db, dy, x, w, n, 1e-5)
    assert np.allclose(dx - 1, slope(lambda v: norm(v, w, b), x, dy), atol=2e-5)
    assert np.allclose(dw - 1, slope(lambda v: norm(x.astype(np.float64), v, b), w, dy), atol=2e-6)
    assert np.allclose(db - 1, slope(lambda v: norm(x.astype(np.float64), w, v), b, dy), atol=2e-6)


def test_gelu_backward(scalar: Table) -> None:
    x, dy = floats(50) * 3, floats(50)
    got = dy.copy()
    call(scalar, "gelu_backward", got, x, 50)

    def gelu(v: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(0.5 * v * (1 + np.tanh(np.sqrt(2 / np.pi) * (v + 0.044715 * v**3))))

    assert np.allclose(got, slope(gelu, x, dy), atol=2e-6)


def test_adamw(scalar: Table) -> None:
    w, g = floats(37), floats(37)
    m, v = np.zeros(37, np.float32), np.zeros(37, np.float32)
    want, m64, v64 = w.astype(np.float64), np.zeros(37), np.zeros(37)
    for step in range(1, 6):
        constants = AdamW(0.5, 0.9, 0.99, 0.1, 0.01, 1 / (1 - 0.9**step), 1 / (1 - 0.99**step), 0.01, 1e-8, 0.001)
        call(scalar, "adamw", w, m, v, g, 37, ctypes.pointer(constants))
        d = g.astype(np.float64) * 0.5
        m64, v64 = 0.9 * m64 + 0.1 * d, 0.99 * v64 + 0.01 * d * d
        want -= 0.01 * (m64 / (1 - 0.9**step)) / (np.sqrt(v64 / (1 - 0.99**step)) + 1e-8) + 0.001 * want
    assert np.allclose(w, want, atol=1e-6)


# -- PyTorch --


def torch_loss(torch: Any, p: dict[str, Any], sizes: dict[str, int], windows: Any) -> Any:
    functional = torch.nn.functional
    x, y = windows[:, :-1], windows[:, 1:]
    n, t = x.shape
    width, heads = sizes["width"], sizes["heads"]
    h = p["token"][x] + p["position"][:t]
    for i in range(sizes["layers"]):
        w = {name: p[f"{i}.{name}"] for name in LAYER}
        a = functional.layer_norm(h, (width,), w["ln1_w"], w["ln1_b"])
        q, k, v = (z.view(n, t, heads, -1).transpose(1, 2)
                   for z in functional.linear(a, w["qkv_w"], w["qkv_b"]).split(width, 2))
        a = functional.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(n, t, width)
        h = h + functional.linear(a, w["proj_w"], w["proj_b"])
        a = functional.layer_norm(h, (width,), w["ln2_w"], w["ln2_b"])
        a = functional.gelu(functional.linear(a, w["up_w"], w["up_b"]), approximate="tanh")
        h = h + functional.linear(a, w["down_w"], w["down_b"])
    h = functional.layer_norm(h, (width,), p["norm_w"], p["norm_b"])
    return functional.cross_entropy((h @ p["token"].T).view(n * t, -1), y.reshape(-1))


@pytest.mark.slow
@pytest.mark.parametrize("size", [(2, 3, 18, 21), (2, 2, 64, 64)])
def test_gradients_and_losses_of_pytorch(small: Run, tmp_path: Path, size: tuple[int, int, int, int]) -> None:
    torch = pytest.importorskip("torch")
    layers, heads, width, context = size
    steps, peak, seed, count = 20, 0.004, 7, 5
    run = small.with_(layers=layers, heads=heads, width=width, context=context, batch=count, decay=0.1, log_every=1)
    # A rate of 0 keeps the first weights, and the first moment of step 1 is a tenth of the (clipped) gradient.
    still = run.with_(tmp_path / "still", lr=0, steps=1, warmup=0, scratch=tmp_path)
    still.run()
    sizes, start = read_weights(still.folder / "weights.bin")
    names = shapes(256, context, layers, width, 4 * width)
    floats_in_all = sum(int(np.prod(shape)) for shape in names.values())
    checkpoint = (tmp_path / "train.checkpoint").read_bytes()
    assert struct.unpack_from("<QQ", checkpoint, 16) == (1, floats_in_all)
    moment = np.frombuffer(checkpoint, "<f4", count=floats_in_all, offset=48 + 4 * floats_in_all)
    gradient = split(moment.astype(np.float64) * 10, names)

    ids = np.frombuffer(TEXT * 20, np.uint8).astype(np.int64)
    p = {name: torch.tensor(tensor.copy(), requires_grad=True) for name, tensor in start.items()}
    loss = torch_loss(torch, p, sizes, torch.tensor(batch(ids, count, context, seed, 1)))
    loss.backward()
    norm = float(torch.nn.utils.clip_grad_norm_(p.values(), 1.0))
    assert norm > 1.0, "the test means to see clipping"
    assert still.log()[0]["loss"] == pytest.approx(loss.item(), abs=2e-6)
    for name, tensor in p.items():
        want = tensor.grad.double().numpy()
        assert np.abs(gradient[name] - want).max() <= 1e-5 * np.abs(want).max() + 1e-9, name

    moving = run.with_(tmp_path / "moving", steps=steps, warmup=3, lr=peak)
    moving.run()
    groups = [{"params": [t for t in p.values() if t.dim() > 1], "weight_decay": 0.1},
              {"params": [t for t in p.values() if t.dim() == 1], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=peak, betas=(0.9, 0.95), eps=1e-8)
    for step, line in enumerate(moving.log(), 1):
        loss = torch_loss(torch, p, sizes, torch.tensor(batch(ids, count, context, seed, step)))
        assert line["loss"] == pytest.approx(loss.item(), abs=1e-4), f"step {step}"
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(p.values(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = line["lr"]
        optimizer.step()
