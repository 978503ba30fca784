"""torch.export of cells and U-nets with fixed counts, at other sizes where they allow it; ONNX."""

import pytest
import sympy as sp
import torch
from emit.test_unet import charbonnier, heat
from support import uncertified

import pde2net as p2n

SHORT = {"iterations": 1, "linear_iterations": 2}
CELLS = {
    f"{kind.__name__}, {how}": p2n.Implicit(5, 1, kind(preconditioner=how, **SHORT))
    for kind in (p2n.Kacanov, p2n.Newton)
    for how in ("none", "diagonal", "multigrid")
}
CELLS["theta"] = p2n.Theta(5, 2, solver=p2n.Kacanov(preconditioner="none", **SHORT))
CELLS["Picard"] = p2n.Implicit(sp.Rational(1, 20), 2, p2n.FixedPoint(iterations=4))
CELLS["AOS"] = p2n.AOS(5, 2)
CELLS["V"] = p2n.Multigrid(5, 1, cycles=1)


@pytest.mark.parametrize("name", CELLS)
def test_fixed_counts_are_exported(name):
    module = uncertified(charbonnier(), CELLS[name]).module()
    u, more = torch.rand(2, 1, 12, 9), torch.rand(5, 1, 12, 9)
    batch = {"u": {0: torch.export.Dim("batch", min=1, max=64)}}
    exported = torch.export.export(module, (u,), dynamic_shapes=batch).module()
    for v in (u, 100 * u, 0 * u, more):
        torch.testing.assert_close(exported(v), module(v), rtol=0, atol=1e-5 * max(1, v.max().item()))


@pytest.mark.parametrize(
    "name,boundary",
    [
        ("AOS", "reflecting"),
        ("AOS", "periodic"),
        ("AOS", "dirichlet"),
        ("Kacanov, diagonal", "reflecting"),
        ("theta", "periodic"),
    ],
)
def test_what_has_one_grid_is_exported_for_all_sizes(name, boundary):
    """AOS too: its tridiagonal solves are not held to the size that was traced."""
    module = uncertified(charbonnier(boundary=boundary), CELLS[name]).module()
    sizes = {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    traced = torch.rand(1, 1, 8, 9)
    exported = torch.export.export(module, (traced,), dynamic_shapes={"u": sizes}).module()
    for shape in ((8, 9), (40, 133), (5, 300)):
        v = torch.rand(1, 1, *shape)
        torch.testing.assert_close(exported(v), module(v), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "scheme,option",
    [
        (p2n.Implicit(5, 1, p2n.Kacanov(tol=1e-4)), "iterations="),
        (p2n.Implicit(5, 1, p2n.Newton(tol=1e-4)), "iterations="),
        (p2n.Multigrid(5, 1, tol=1e-4, cycles=9), "cycles="),
    ],
    ids=str,
)
def test_a_tolerance_cannot_be_exported_and_says_what_can(scheme, option):
    module = uncertified(heat(), scheme).module()
    with pytest.raises(NotImplementedError, match=option):
        torch.export.export(module, (torch.rand(1, 1, 8, 8),))


ONNX = {
    "stack": p2n.Explicit(sp.Rational(1, 5), 3),
    "cell": CELLS["Kacanov, diagonal"],
    "AOS": CELLS["AOS"],
    "U-net": p2n.Multigrid(5, 1, cycles=1),
}


@pytest.mark.parametrize("name", ONNX)
def test_onnx(name, tmp_path):
    """What onnxruntime computes; make test does without, pip install "pde2net[onnx]" brings it."""
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    module = uncertified(heat() if name == "U-net" else charbonnier(), ONNX[name]).module()
    u = torch.rand(1, 1, 8, 9)
    torch.onnx.export(module, (u,), tmp_path / "net.onnx", dynamo=True, optimize=False, verbose=False)
    (found,) = runtime.InferenceSession(tmp_path / "net.onnx").run(None, {"u": u.numpy()})
    torch.testing.assert_close(torch.from_numpy(found), module(u), rtol=0, atol=1e-5)
