"""network.export: what is in the files, and what is refused before it is tried."""

import importlib.util

import numpy as np
import pytest
import sympy as sp
import torch
from emit.export_families import CHARBONNIER, FAMILIES, learned, one, u
from support import certified, diffusion, lam, uncertified

import pde2net as p2n
from pde2net import div, grad, laplacian
from pde2net.emit import export as exporter

R = sp.Rational
PERONA_MALIK = diffusion(lambda s: 1 / (1 + s / lam**2), 2, parameters={lam: 1})
KEYS = {"generator", "equation", "boundary", "parameters", "scheme", "grid", "source_sha256", "certificate"}


@pytest.mark.parametrize(
    "scheme", [p2n.Explicit(R(1, 10), 500), p2n.FSI(R(1, 5), 2, 200)], ids=lambda s: s.label
)
def test_steps_that_are_alike_are_a_loop(scheme, tmp_path):
    network = uncertified(PERONA_MALIK, scheme)
    done = network.export(tmp_path / "net.pt2")
    assert done.compared and done.inputs == (("u", ("batch", 1, "x", "y")),) and done.output == "result"
    program = torch.export.load(done.path)
    assert len(program.graph.nodes) < 20
    v = torch.rand(3, 1, 5, 11)
    torch.testing.assert_close(program.module()(v), network.module()(v), rtol=1e-5, atol=1e-5)


def test_the_file_says_what_it_is_and_is_proved_to_be(tmp_path):
    network = certified(PERONA_MALIK, R(1, 5), 2)
    network.export(tmp_path / "net.pt2", size=(8, 9), batch=1, dtype="float64")
    found = dict.fromkeys(KEYS, "")
    program = torch.export.load(tmp_path / "net.pt2", extra_files=found)
    assert found["equation"] == network.certificate.subject["equation"]
    assert found["source_sha256"] == network.certificate.source
    assert p2n.Certificate.from_json(found["certificate"]) == network.certificate
    v = torch.rand(1, 1, 8, 9, dtype=torch.float64)
    torch.testing.assert_close(program.module()(v), network.module()(v), rtol=0, atol=1e-14)


def test_weights_that_were_trained_freely_come_without_a_certificate(tmp_path):
    network = uncertified(PERONA_MALIK, p2n.Explicit(R(1, 10), 3), trainable=[lam])
    module = network.module()
    with torch.no_grad():
        next(module.parameters()).fill_(0.3)
    network.export(tmp_path / "net.pt2", module=module)
    found = {"certificate": "", "note": ""}
    program = torch.export.load(tmp_path / "net.pt2", extra_files=found)
    assert not found["certificate"] and "keep_stable" in found["note"]
    v = torch.rand(1, 1, 8, 9)
    torch.testing.assert_close(program.module()(v), module(v))


def test_onnx_names_shapes_and_metadata(tmp_path):
    """make test does without onnx; pip install "pde2net[onnx]" brings it."""
    runtime, onnx = (pytest.importorskip(name) for name in ("onnxruntime", "onnx"))
    network = FAMILIES["known fields and masks"].network()
    done = network.export(tmp_path / "net.onnx", module=network.module())
    assert done.compared and [name for name, _ in done.inputs] == ["u", "c", "f"]
    assert list(tmp_path.iterdir()) == [done.path]
    model = onnx.load(done.path)
    onnx.checker.check_model(model)
    assert {p.key for p in model.metadata_props} == KEYS
    assert any(node.op_type == "Loop" for node in model.graph.node)
    assert not any(node.metadata_props for node in model.graph.node)
    size = [d.dim_param or d.dim_value for d in model.graph.output[0].type.tensor_type.shape.dim]
    assert size == ["batch", 1, "x", "y"]
    images = {name: np.random.rand(2, 1, 5, 7).astype(np.float32) for name in "ucf"}
    (found,) = runtime.InferenceSession(done.path).run(["result"], images)
    want = network.module()(**{name: torch.from_numpy(a) for name, a in images.items()})
    torch.testing.assert_close(torch.from_numpy(found), want, rtol=0, atol=1e-5)


def solved(solver, scheme=p2n.Implicit):
    return one(div(CHARBONNIER * grad(u)), scheme(2, solver=solver))


MANY = p2n.Kacanov(iterations=10, preconditioner="diagonal")
TOL = p2n.Multigrid(2, cycles=9, tol=R(1, 100))
REFUSED = {
    "tol": (solved(p2n.Newton(tol=1e-4)), "give iterations="),
    "tol of theta": (solved(p2n.FixedPoint(tol=1e-4), p2n.Theta), "give iterations="),
    "tol of cycles": (one(laplacian(u), TOL), "give cycles="),
    "many products": (solved(MANY), "give linear_iterations="),
    "grids": (one(laplacian(u), p2n.Multigrid(2, cycles=1)), r"size=\(256, 256\)"),
    "learned": (learned(), "module="),
    "time": (
        one(sp.exp(-sp.Symbol("t", real=True)) * laplacian(u), p2n.Explicit(R(1, 9), 400)),
        "400 blocks",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_file_can_hold_is_refused_with_a_remedy(name, tmp_path, monkeypatch):
    make, words = REFUSED[name]
    monkeypatch.setattr(torch.export, "export", None)  # is not tried
    with pytest.raises((p2n.EmissionError, p2n.DeclarationError), match=words):
        make().export(tmp_path / "net.pt2")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "options,words",
    [
        ({"size": (8,)}, "for each of x, y"),
        ({"size": 8}, "along each of x, y"),
        ({"size": (8, 0)}, "along y is at least 1"),
        ({"batch": 0}, "batch is"),
        ({"dtype": "float16"}, "dtype is"),
    ],
)
def test_options_are_checked(options, words, tmp_path):
    network = uncertified(PERONA_MALIK, p2n.Explicit(R(1, 10), 1))
    with pytest.raises(p2n.DeclarationError, match=words):
        network.export(tmp_path / "net.pt2", **options)
    with pytest.raises(p2n.FileError, match=r"\.onnx or \.pt2"):
        network.export(tmp_path / "net.pth")


def test_anderson_is_refused_for_onnx(tmp_path):
    make = FAMILIES["implicit, fixed point, Anderson"].network
    with pytest.raises(p2n.EmissionError, match=r"write \.pt2, or take p2n\.FixedPoint"):
        make().export(tmp_path / "net.onnx")


def test_without_onnx_the_message_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    network = uncertified(PERONA_MALIK, p2n.Explicit(R(1, 10), 1))
    with pytest.raises(p2n.EmissionError, match=r'pip install "pde2net\[onnx\]"'):
        network.export(tmp_path / "net.onnx")


def test_errors_of_torch_end_in_a_sentence_and_leave_no_file(tmp_path, monkeypatch):
    def fails(*_, **__):
        raise RuntimeError("no such operator") from ValueError("aten::foo")

    monkeypatch.setattr(torch.export, "export", fails)
    with pytest.raises(p2n.EmissionError, match=r"cannot export this network\. ValueError: aten::foo"):
        uncertified(PERONA_MALIK, p2n.Explicit(R(1, 10), 1)).export(tmp_path / "net.pt2")
    assert not list(tmp_path.iterdir())


def test_a_file_that_gives_something_else_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(exporter, "_count", lambda request: 7)
    with pytest.raises(p2n.EmissionError, match="does not give what the module gives"):
        uncertified(PERONA_MALIK, p2n.Explicit(R(1, 10), 3)).export(tmp_path / "net.pt2")
    assert not list(tmp_path.iterdir())


def test_a_result_is_called_otherwise_where_a_field_is_called_so(tmp_path):
    f = sp.Function("result")(*u.args[:2])
    done = one(laplacian(u) + f - u)().export(tmp_path / "net.pt2", size=(6, 7))
    assert done.output == "result_" and str(done).endswith("-> result_ (run and compared)")


def test_networks_with_trained_parameters_say_whose_weights(tmp_path):
    network = uncertified(PERONA_MALIK, p2n.Explicit(R(1, 10), 1), trainable=[lam])
    with pytest.raises(p2n.DeclarationError, match=r"module=network\.module\(\)"):
        network.export(tmp_path / "net.pt2")
    network.export(tmp_path / "net.pt2", module=network.module())


def test_onnx_of_double_precision_keeps_all_digits(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    for network in (uncertified(PERONA_MALIK, p2n.Explicit(R(1, 5), 7)), one(laplacian(u) / 3)()):
        network.export(tmp_path / "net.onnx", dtype="float64")
        v = torch.rand(2, 1, 19, 23, dtype=torch.float64)
        session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
        found = torch.from_numpy(session.run(None, {"u": v.numpy()})[0])
        torch.testing.assert_close(found, network.module()(v), rtol=0, atol=1e-13)
