"""Claims for the weights as they are, and files that are refused."""

from __future__ import annotations

import builtins
import functools
import hashlib
import json
import struct
import types
from pathlib import Path
from typing import Any

import pytest
import sympy as sp
import torch
from learn.trained import EXPLICIT, K, equal, f, lam, module, network, t, u, weights, x
from safetensors.torch import load_file, save_file

import pde2net as p2n
from pde2net.emit.execute import execute
from pde2net.learn import certify, checkpoint
from pde2net.verify.certificate import Status

R = sp.Rational
SCHEMES = {
    "explicit": p2n.Explicit(tau=R(1, 2), steps=2),
    "FSI": p2n.FSI(tau=R(1, 2), cycle_length=2, cycles=2),
    "FED": p2n.FED(tau=1, cycle_length=2, cycles=1),
    "RKL": p2n.RKL(order=2, tau=1, stages=3, steps=2),
}


def scaled(made: torch.nn.Module, factor: float, part: str = "") -> None:
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if name.endswith("K") and name.startswith(part):
                parameter.mul_(factor)


def grown(made: torch.nn.Module, seed: int = 0, steps: int = 60) -> float:
    """The largest ‖N(u)‖/‖u‖ that ascent finds."""
    made = made.double()
    v = torch.randn(1, 1, 96, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) * 1e-3
    largest = 0.0
    for _ in range(steps):
        v.requires_grad_(True)
        ratio = made(v).norm() / v.norm()
        largest = max(largest, float(ratio.detach()))
        (slope,) = torch.autograd.grad(ratio, v)
        v = (v + 0.5 * slope * v.norm() ** 2 / max(float((slope.norm() * v.norm()).detach()), 1e-12)).detach()
        v = 1e-3 * v / v.norm()
    return largest


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("name", SCHEMES)
def test_the_threshold_from_both_sides(name: str, shared: bool) -> None:
    """tau ‖K‖² <= c is proved just below and refused above.

    Of explicit linear steps the condition is sharp, of cycles a larger c may be proved where norms are
    numbers.
    """
    linear = -K.adjoint(K(u))
    problem = p2n.Problem(sp.Eq(u.diff(t), linear))
    torch.manual_seed(0)
    made = p2n.compile(problem, SCHEMES[name], trainable=[K], shared=shared).module()
    if not shared and name != "explicit":  # a cycle is a polynomial of one operator
        assert certify(made).claims["l2_stability"].status == Status.UNKNOWN
        return
    certificate = p2n.verify(problem, SCHEMES[name])
    claim = certificate.claims["l2_stability"]
    norm = next(iter(claim.condition.free_symbols))
    (largest,) = sp.solve(claim.condition.lhs - claim.condition.rhs, norm)
    now = max(float(_norm(w)) for n, w in made.named_parameters() if n.endswith("K"))
    scaled(made, float(largest) / now * (1 - 1e-3))
    below = certify(made)
    assert below.stable and grown(made) <= 1 + 1e-9
    made = made.float()
    scaled(made, 1 + 3e-3 if name == "explicit" else 1.3, "blocks.0" if not shared else "")
    with pytest.raises(p2n.CertificateError, match="l2 stability is not proved"):
        certify(made)


def _norm(weight: torch.Tensor) -> torch.Tensor:
    return torch.fft.fft(weight.detach().double(), 4096).abs().square().sum(0).amax().sqrt()


def test_what_is_kept_stays_proved_and_what_is_not_is_checked() -> None:
    made = module()
    scaled(made, 1e3)
    kept = certify(made)
    assert kept.stable and "l2_stability" in kept.training.kept
    loose = module(scheme=p2n.Explicit(tau=R(1, 2), steps=2), keep_stable=False)
    scaled(loose, 1e-2)
    assert certify(loose).stable
    scaled(loose, 1e4, "blocks.1")
    with pytest.raises(p2n.CertificateError, match="in block 2"):
        certify(loose)


def test_a_certificate_of_shared_weights_is_checked_again() -> None:
    """It is about a declaration with the weights as values, which recheck derives once more."""
    made = module(scheme=p2n.Explicit(tau=R(1, 2), steps=2), keep_stable=False, shared=True)
    scaled(made, 0.5)
    certificate = certify(made)
    assert certificate.stable
    assert p2n.recheck(certificate.to_json()).stable
    values = p2n.learn.values(made)
    own = certificate.declaration.problem.arrays["K"].entries
    assert [float(e) for e in own] == values["K"].flatten().tolist()
    assert certificate.declaration.problem.parameters[lam] == R(float(values["lambda"]))


@pytest.mark.parametrize("kept", [True, False])
def test_a_certificate_names_the_weights_that_no_declaration_holds(kept: bool) -> None:
    """It says which they are, shows none of the values to start from, and recheck says what derives it."""
    made = module(scheme=p2n.Explicit(tau=R(1, 16), steps=2), keep_stable=kept)
    scaled(made, 0.5)
    certificate = certify(made)
    digest = hashlib.sha256()
    for name, value in sorted(made.named_parameters()):
        digest.update(name.encode() + struct.pack(f"<{value.numel()}d", *value.double().flatten().tolist()))
    assert certificate.training is not None and certificate.training.weights == digest.hexdigest()
    assert "lambda" not in certificate.subject["parameters"]
    assert digest.hexdigest() in certificate.subject["training"]
    text = certificate.to_json()
    assert p2n.Certificate.from_json(text).to_json() == text
    with pytest.raises(p2n.RecheckError, match="about trained weights"):
        p2n.recheck(text)
    scaled(made, 0.5)
    assert certify(made).training != certificate.training


def test_signs_and_values_that_were_declared_are_required() -> None:
    loose = module(scheme=p2n.Explicit(tau=R(1, 4), steps=2), keep_stable=False)
    with torch.no_grad():
        loose.blocks[0].lambda_.fill_(-0.1)
    with pytest.raises(p2n.CertificateError, match="positive"):
        certify(loose)
    with torch.no_grad():
        loose.blocks[0].lambda_.fill_(torch.nan)
    with pytest.raises(p2n.CertificateError, match="not finite"):
        certify(loose)


def test_trained_weights_of_a_scheme_prove_nothing() -> None:
    K2 = p2n.LinearOperator("K", 2, 3)
    problem = p2n.Problem(sp.Eq(u.diff(t), -K2.adjoint(K2(u))))
    scheme = p2n.FSI(tau=R(1, 8), cycle_length=3, cycles=2)
    made = p2n.compile(problem, scheme, trainable=[K2, "extrapolation"]).module()
    assert certify(made).claims["l2_stability"].status == Status.UNKNOWN


def test_modules_without_a_declaration_or_with_another_are_refused() -> None:
    with pytest.raises(p2n.DeclarationError, match="no declaration"):
        certify(torch.nn.Linear(2, 2))
    source = network().source().replace("torch.clamp(bound", "1e-3 * torch.clamp(bound")
    from pde2net.emit.execute import execute

    with pytest.raises(p2n.CertificateError, match="norm_bound is not as the declaration"):
        certify(execute(source))


def _wrapped(made: torch.nn.Module) -> None:
    made.blocks[1].forward = lambda v, *_: 2 * v  # type: ignore[method-assign]


def _hook(made: torch.nn.Module) -> None:
    made.blocks[0].register_forward_hook(lambda *_: _[-1] * 2)


def _constant(made: torch.nn.Module) -> None:
    made.blocks[0].tau = 5.0


def _class(made: torch.nn.Module) -> None:
    class Other(type(made.blocks[0])):  # type: ignore[misc]
        def forward(self, v: torch.Tensor, *others: Any) -> torch.Tensor:
            return 2 * v

    made.blocks[0].__class__ = Other


def _more(made: torch.nn.Module) -> None:
    made.blocks[0].more = torch.nn.Linear(1, 1)


def _parametrised(made: torch.nn.Module) -> None:
    from torch.nn.utils import parametrize

    class Twice(torch.nn.Module):
        def forward(self, w: torch.Tensor) -> torch.Tensor:
            return 2 * w

    parametrize.register_parametrization(made.blocks[0], "K", Twice())


def _half(made: torch.nn.Module) -> None:
    made.half()


def _parity(made: torch.nn.Module) -> None:
    made.blocks[0].parity_K.neg_()


def _rounded(made: torch.nn.Module) -> None:
    made.blocks[0].parity_K = made.blocks[0].parity_K.to(torch.bfloat16)


def _named_alike(made: torch.nn.Module) -> None:
    kind = type(made.blocks[0])

    class Other(kind):  # type: ignore[misc, valid-type]
        def forward(self, v: torch.Tensor, *others: Any) -> torch.Tensor:
            return 2 * v

    Other.__qualname__, Other.__module__ = kind.__qualname__, kind.__module__
    made.blocks[0].__class__ = Other


TAMPERED = {
    "a buffer of another type": (_rounded, {"border": "continued"}),
    "a class of the same name": (_named_alike, {}),
    "an instance's method": (_wrapped, {}),
    "a hook": (_hook, {}),
    "a constant": (_constant, {}),
    "another class": (_class, {}),
    "a part more": (_more, {}),
    "a parametrisation": (_parametrised, {}),
    "half precision": (_half, {}),
    "parities": (_parity, {"border": "continued"}),
}


def test_a_module_that_torch_compiles_is_certified_from_its_file(tmp_path: Path) -> None:
    made = module()
    made.compile()
    with pytest.raises(p2n.CertificateError, match="the file of its weights"):
        certify(made)
    p2n.learn.save(made, tmp_path / "net.safetensors")
    assert certify(tmp_path / "net.safetensors").stable


def _hidden(space: dict[str, Any]) -> None:
    space["zip"] = lambda *a, **k: [(x, y / 10) for x, y in zip(*a, **k)]  # noqa: B905


def _called(space: dict[str, Any]) -> None:
    call = torch.nn.Module.__call__
    twice = functools.partialmethod(lambda self, *a, **k: 2 * call(self, *a, **k))
    space["DiffusionNetwork"].__call__ = twice


def _forward(space: dict[str, Any], around: dict[str, Any]) -> None:
    """The same code, whose names mean what `around` says."""
    kind = space["DiffusionNetwork"]
    old = kind.forward
    kind.forward = types.FunctionType(old.__code__, around, "forward", None, old.__closure__)
    kind.forward.__kwdefaults__ = old.__kwdefaults__


def _elsewhere(space: dict[str, Any]) -> None:
    _forward(space, {**space, "zip": min})


def _builtins(space: dict[str, Any]) -> None:
    space["__builtins__"] = {**vars(builtins), "zip": min}
    _forward(space, space)


def _base(space: dict[str, Any]) -> None:
    class Module(torch.nn.Module):
        def __call__(self, *a: Any, **k: Any) -> Any:
            return 2 * super().__call__(*a, **k)

    Module.__module__, Module.__qualname__ = torch.nn.Module.__module__, "Module"
    space["DiffusionNetwork"].__bases__ = (Module,)


def _attribute(space: dict[str, Any]) -> None:
    space["DiffusionNetwork"].more = 1


SPACES = {f.__name__.strip("_"): f for f in (_hidden, _called, _elsewhere, _builtins, _base, _attribute)}


@pytest.mark.parametrize("name", SPACES)
def test_sources_that_define_something_else_are_refused(name: str) -> None:
    """Names that hide others, members of every kind, functions that look elsewhere, bases called alike."""
    source = network().source()
    assert certify(execute(source, anew=True)).stable
    made = execute(source, anew=True)
    SPACES[name](type(made).forward.__globals__)
    with pytest.raises(p2n.CertificateError, match="changed or edited"):
        certify(made)


def test_classes_that_inherit_from_others_of_the_same_name_are_refused() -> None:
    k = sp.Symbol("k", positive=True)
    problem = p2n.Problem(sp.Eq(u.diff(t), k * p2n.laplacian(u)), parameters={k: R(1, 10)})
    source = p2n.compile(problem, p2n.Explicit(tau=R(1, 2), steps=2), trainable=[k]).source()
    made = execute(source, anew=True)
    assert certify(made).stable
    space = type(made).forward.__globals__
    base = space["LinearFunction"]
    members = {n: v for n, v in vars(base).items() if "__" not in n}
    other = type(base.__name__, base.__bases__, {**members, "of": classmethod(lambda cls, *a: 2 * a[0])})
    other.__module__ = space["__name__"]
    space["Gradient"].__bases__ = (other,)
    with pytest.raises(p2n.CertificateError, match="changed or edited"):
        certify(made)


def test_systems_are_certified() -> None:
    a, b = (sp.Function(name)(x, t) for name in "ab")
    k = sp.Symbol("k", positive=True)
    equations = [sp.Eq(a.diff(t), p2n.laplacian(a) / 5), sp.Eq(b.diff(t), k * p2n.laplacian(b))]
    problem = p2n.Problem(equations, parameters={k: R(1, 10)}, boundary="periodic")
    made = p2n.compile(problem, p2n.Explicit(tau=R(1, 2), steps=2), trainable=[k]).module()
    assert certify(made).stable
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(3.5)
    with pytest.raises(p2n.CertificateError):
        certify(made)


@pytest.mark.parametrize("size,border", [(1, "inside"), (1, "continued"), (2, "inside"), (3, "continued")])
def test_kept_steps_at_the_limit_are_confirmed(size: int, border: str) -> None:
    own = p2n.LinearOperator("K", 3, size, border=border)
    problem = p2n.Problem(sp.Eq(u.diff(t), -own.adjoint(own(u))))
    scheme = p2n.Explicit(tau=None, steps=2)
    assert certify(p2n.compile(problem, scheme, trainable=[own], keep_stable=True).module()).stable


@pytest.mark.parametrize("name", TAMPERED)
def test_modules_that_compute_something_else_are_refused(name: str) -> None:
    change, options = TAMPERED[name]
    own = p2n.LinearOperator("K", 4, 5, **options)
    problem = p2n.Problem(sp.Eq(u.diff(t), -own.adjoint(own(u))))
    scheme = p2n.Explicit(tau=R(1, 1000), steps=2)
    made = p2n.compile(problem, scheme, trainable=[own], shared=False).module()
    assert certify(made).claims["l2_stability"].status == Status.PROVED
    change(made)
    with pytest.raises(p2n.CertificateError, match=r"not as the declaration|float16"):
        certify(made)


def test_hooks_of_all_modules_are_refused() -> None:
    made = module()
    handle = torch.nn.modules.module.register_module_forward_hook(lambda *_: None)
    try:
        with pytest.raises(p2n.CertificateError, match="Hooks are registered for all modules"):
            certify(made)
    finally:
        handle.remove()
    assert certify(made).stable


def test_filters_that_are_not_trained_are_those_of_the_module() -> None:
    """In float32 they are rounded, and claims are about what they are then; in less they are refused."""
    K1 = p2n.LinearOperator("K", out_channels=1, kernel_size=2)
    problem = p2n.Problem(
        sp.Eq(u.diff(t), -K1.adjoint(K1(u) / (1 + K1(u) ** 2 / lam**2))),
        parameters={lam: 1, K1: [[[R(1005, 1000), -R(1005, 1000)]]]},
    )
    made = p2n.compile(problem, p2n.Explicit(tau=None, steps=10), trainable=[lam]).module()
    assert certify(made.float()).stable and certify(made.double()).claims["l2_stability"].status
    made.block.K = made.block.K.to(torch.bfloat16)
    with pytest.raises(p2n.CertificateError, match=r"block.K is not as the declaration"):
        certify(made)


@pytest.mark.parametrize("tau", [None, 1, R(1, 10)])
@pytest.mark.parametrize("shared", [True, False])
def test_a_damping_that_is_computed_is_that_of_the_module(tau: Any, shared: bool) -> None:
    made = module(scheme=p2n.DuFortFrankel(tau=tau, steps=2), shared=shared)
    scaled(made, 3.0)
    certify(made)


def test_numbers_at_the_call_go_with_channels() -> None:
    sigma = p2n.Input("sigma", positive=True)
    problem = p2n.Problem(sp.Eq(u.diff(t), -K.adjoint(K(u) / (1 + K(u) ** 2 / sigma**2))), channels=2)
    made = p2n.compile(problem, p2n.Explicit(tau=None, steps=2), trainable=[K], keep_stable=True).module()
    assert certify(made).claims["l2_stability"].status == Status.PROVED


def test_sources_that_were_saved_and_parameters_that_are_one_are_certified(tmp_path: Path) -> None:
    import importlib.util

    network().save(tmp_path / "net.py")
    spec = importlib.util.spec_from_file_location("net", tmp_path / "net.py")
    assert spec is not None and spec.loader is not None
    imported = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(imported)
    made = getattr(imported, imported.__all__[0])()
    assert certify(made).stable
    made.blocks[1].K = made.blocks[0].K
    assert certify(made).stable


a = sp.Symbol("a", positive=True)
SECOND = [[[-1, 1, 0]], [[0, 1, -1]]]
FOUND_FOR_THE_START = {
    "the step of given filters": (p2n.Explicit(tau=None, steps=2), [a]),
    "the step of RKL": (p2n.RKL(order=1, tau=None, stages=3, steps=2), [a]),
    "the damping": (p2n.DuFortFrankel(tau=1, steps=2), [a]),
    "a damping that is trained": (p2n.DuFortFrankel(tau=1, alpha=5, steps=2), [a, "_alpha"]),
}


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("name", FOUND_FOR_THE_START)
def test_what_was_computed_from_values_to_start_from_stays(name: str, shared: bool) -> None:
    """A step or a damping that was the best for a = 1 is that of the module for a = 4, too."""
    scheme, trained = FOUND_FOR_THE_START[name]
    K2 = p2n.LinearOperator("K", 2, 3)
    problem = p2n.Problem(sp.Eq(u.diff(t), -a * K2.adjoint(K2(u))), parameters={a: 1, K2: SECOND})
    made = p2n.compile(problem, scheme, trainable=trained, shared=shared, on_unstable="ignore").module()
    certify(made)
    with torch.no_grad():
        for part in made.modules():
            if "a" in part._parameters:
                part.a.mul_(4)
    if name == "the step of RKL" and not shared:  # nothing is claimed of stages that differ
        assert not [
            n for n in ("l2_stability", "frozen_stability") if certify(made).claims[n].status == "proved"
        ]
        return
    with pytest.raises(p2n.CertificateError, match="is not proved"):
        certify(made)


@pytest.mark.parametrize("size", [0.0, 1e-200, 1e-20, 1e20, 1e200])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sizes_of_filters_whose_step_is_rounded(size: float, dtype: torch.dtype) -> None:
    """A step that is computed to be at its limit may be above it by rounding; what is kept stays proved."""
    made = module(scheme=p2n.Explicit(tau=None, steps=2, fidelity="implicit"), fidelity=True).to(dtype)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if name.endswith("K"):
                parameter.copy_((size * torch.randn(parameter.shape, dtype=torch.float64)).clamp(-1e38, 1e38))
    assert certify(made).claims["bounded_by_data"].status == Status.PROVED


def test_an_operator_that_is_applied_twice_is_scaled_once() -> None:
    """u_t = -K^T K^T (w K K u) with the second difference and w = 1/64: the norm is 16²/64 = 4."""
    K1 = p2n.LinearOperator("K", 1, 3)
    w = K1.parameter("w", nonnegative=True)
    rhs = -K1.adjoint(K1.adjoint(w * K1(K1(u))))
    problem = p2n.Problem(sp.Eq(u.diff(t), rhs), parameters={K1: [[[-1, 2, -1]]], w: [R(1, 64)]})
    limit = p2n.verify(problem, p2n.Explicit(tau=R(1, 4), steps=1)).claims["l2_stability"].limit
    assert 0.499 <= float(limit) <= 0.5
    twice = p2n.LinearOperator("K", 1, 3, border="continued")
    odd = {twice: [[[-1, 0, 1]]]}
    problem = p2n.Problem(sp.Eq(u.diff(t), -twice.adjoint(twice.adjoint(twice(twice(u))))), parameters=odd)
    with pytest.raises(p2n.DeclarationError, match="even channels and to odd ones"):
        p2n.verify(problem, p2n.Explicit(tau=R(1, 4), steps=1))


# -- files ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_file_alone_is_enough(dtype: torch.dtype, tmp_path: Path) -> None:
    made = module(fidelity=True).to(dtype)
    path = tmp_path / "net.safetensors"
    p2n.learn.save(made, path)
    again = p2n.learn.module(path)
    assert equal(weights(made), weights(again))
    assert all(w.dtype == weights(again)[n].dtype for n, w in weights(made).items())
    certificate = certify(path)
    assert certificate.claims["frozen_stability"].status == Status.PROVED
    metadata = checkpoint.read(path)[1]
    assert p2n.recheck(metadata["certificate"]) == checkpoint.network(path).certificate


def edited(path: Path, change: Any) -> None:
    tensors, (_, metadata) = load_file(path), checkpoint.read(path)
    change(tensors, metadata)
    save_file(tensors, path, metadata)


def _grown(tensors: dict[str, torch.Tensor], _: dict[str, str]) -> None:
    tensors["blocks.0.K"] *= 1e6


def _nan(tensors: dict[str, torch.Tensor], _: dict[str, str]) -> None:
    tensors["blocks.0.K"][0, 0, 0] = torch.nan


def _shape(tensors: dict[str, torch.Tensor], _: dict[str, str]) -> None:
    tensors["blocks.0.K"] = torch.zeros(3, 1, 5)


def _missing(tensors: dict[str, torch.Tensor], _: dict[str, str]) -> None:
    del tensors["blocks.1.K"]


def _step(_: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    document = json.loads(metadata["declaration"])
    document["declaration"]["scheme"]["tau"] = "1000"
    metadata["declaration"] = json.dumps(document)


def _no_json(_: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    metadata["declaration"] = "{"


def _code(_: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    document = json.loads(metadata["declaration"])
    document["declaration"]["rhs"] = ["__import__('os').system('false')"]
    metadata["declaration"] = json.dumps(document)


def _format(_: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    metadata["format"] = "pt"


EDITED = {
    "a larger filter": (_grown, p2n.CertificateError, "l2 stability is not proved"),
    "a longer step": (_step, p2n.CertificateError, "l2 stability is not proved"),
    "NaN": (_nan, p2n.FileError, "not finite"),
    "a shape": (_shape, p2n.FileError, "shape"),
    "a missing tensor": (_missing, p2n.FileError, "lacks blocks.1.K"),
    "no JSON": (_no_json, p2n.FileError, "not a declaration"),
    "code": (_code, p2n.FileError, "not a declaration"),
    "another format": (_format, p2n.FileError, "pde2net did not write it"),
}


@pytest.mark.parametrize("name", EDITED)
def test_edited_files_are_refused(name: str, tmp_path: Path) -> None:
    change, error, message = EDITED[name]
    path = tmp_path / "net.safetensors"
    p2n.learn.save(module(scheme=p2n.Explicit(tau=R(1, 2), steps=2), keep_stable=False), path)
    certify(path)
    edited(path, change)
    with pytest.raises(error, match=message):
        certify(path)


@pytest.mark.parametrize(
    "content", [b"", b"\x80\x04not a checkpoint", b"\xff" * 64, b"\x08" + b"\0" * 7 + b"{}      "]
)
def test_foreign_files_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    made = module()
    before = weights(made)
    for use in (certify, p2n.learn.module, lambda p: p2n.learn.load(made, p)):
        with pytest.raises(p2n.FileError, match=r"no file of weights|did not write"):
            use(path)
    with pytest.raises(p2n.FileError, match="no file"):
        certify(tmp_path / "missing.safetensors")
    assert equal(before, weights(made))


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    p2n.learn.save(module(), path)
    diffusion = -K.adjoint(K(u) / (1 + K(u) ** 2 / lam**2))
    problem = p2n.Problem(sp.Eq(u.diff(t), diffusion), parameters={lam: 0.2})
    other = p2n.compile(problem, EXPLICIT, trainable=[K, lam], shared=False, keep_stable=True).module()
    with pytest.raises(p2n.FileError, match=r"another network.*parameters"):
        p2n.learn.load(other, path)
    plain = p2n.learn.baselines.residual(1, 2)
    with pytest.raises(p2n.FileError, match="was not made by pde2net"):
        p2n.learn.load(plain, path)
    p2n.learn.save(plain, path)
    with pytest.raises(p2n.FileError, match="without a declaration"):
        certify(path)


def test_data_that_networks_depend_on_are_certified_for_the_weights() -> None:
    """A constant that a descent keeps, and one without anything kept.

    The condition of the latter fails with large filters.
    """
    rhs = -K.adjoint(K(u) / (1 + K(u) ** 2 / lam**2)) + (f - u)
    problem = p2n.Problem(sp.Eq(u.diff(t), rhs), parameters={lam: 0.1})
    assert x in problem.space
    scheme = p2n.Implicit(tau=sp.oo, steps=1, solver=p2n.Descent(iterations=20))
    made = p2n.compile(problem, scheme, trainable=[K, lam], keep_stable=True, lipschitz=4).module()
    scaled(made, 50)
    claim = certify(made).claims["lipschitz_in_data"]
    assert claim.status == Status.PROVED and claim.factor == 4
    loose = p2n.compile(problem, scheme, trainable=[K, lam]).module()
    scaled(loose, 0.1)
    assert certify(loose).claims["lipschitz_in_data"].status == Status.PROVED
    scaled(loose, 1e3)
    lost = certify(loose)  # nothing of it was stated without a condition
    assert not [
        name for name in ("lipschitz_in_data", "well_posed") if lost.claims[name].status == Status.PROVED
    ]
