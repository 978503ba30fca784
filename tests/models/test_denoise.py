"""`Denoiser`: its calls are those of the module, and what cannot be denoised is told."""

from __future__ import annotations

from typing import Any

import pytest
import sympy as sp
import torch

import pde2net as p2n
from pde2net.models import Denoiser

x, y, t = sp.symbols("x y t", real=True)
u, f = sp.Function("u")(x, y, t), sp.Function("f")(x, y)
sigma = p2n.Input("sigma", positive=True)


@pytest.fixture(scope="module")
def module() -> torch.nn.Module:
    K = p2n.LinearOperator("K", 4, 3, border="continued")
    flux = K(u) / (1 + K(u) ** 2 / sigma**2)
    problem = p2n.Problem(sp.Eq(u.diff(t), -K.adjoint(flux) + (f - u) / 10))
    scheme = p2n.Explicit(tau=None, steps=2, fidelity="implicit")
    return p2n.compile(problem, scheme, trainable=[K], keep_stable=True).module()


def test_it_calls_the_module(module: torch.nn.Module) -> None:
    v = torch.rand(2, 1, 9, 10)
    denoiser = Denoiser(module, sigma=0.2, name="small")
    assert torch.equal(denoiser(v), module(v, f=v, sigma=0.2))
    for level in (0.1, torch.tensor(0.1), torch.tensor([0.1]), [0.1, 0.1], torch.full((2, 1, 1, 1), 0.1)):
        torch.testing.assert_close(denoiser(v, level), module(v, f=v, sigma=0.1), rtol=0, atol=1e-7)
    assert repr(denoiser) == "Denoiser('small', sigma=0.2, parameters=36)"
    assert repr(Denoiser(module)) == "Denoiser(parameters=36)"


def test_the_certificate_is_that_of_the_weights(module: torch.nn.Module) -> None:
    denoiser = Denoiser(module)
    first = denoiser.certificate
    assert first.claims["bounded_by_data"].status == p2n.Status.PROVED
    assert denoiser.certificate is first
    weight = next(denoiser.parameters())
    before = weight.detach().clone()
    with torch.no_grad():
        weight.fill_(float("nan"))
        with pytest.raises(p2n.CertificateError, match="not finite"):
            _ = denoiser.certificate
        weight.copy_(before)
    assert denoiser.certificate is first


IMAGE = torch.rand(2, 1, 9, 10)
BAD: list[tuple[Any, Any, str]] = [
    (IMAGE, None, "sigma is missing"),
    (IMAGE, 0, "positive and finite"),
    (IMAGE, -1.0, "positive and finite"),
    (IMAGE, float("nan"), "positive and finite"),
    (IMAGE, float("inf"), "positive and finite"),
    (IMAGE, 1e-300, "positive and finite"),
    (IMAGE, torch.tensor([0.1, 0.0]), "positive and finite"),
    (IMAGE, True, "a number, or one for each image"),
    (IMAGE, "0.1", "a number, or one for each image"),
    (IMAGE, 0.1j, "a number, or one for each image"),
    (IMAGE, torch.ones(3), r"one for each of 2 images, not of the shape \(3,\)"),
    (IMAGE, torch.ones(2, 1), r"not of the shape \(2, 1\)"),
    (IMAGE, torch.ones(1, 1, 9, 10), "not of the shape"),
    (IMAGE[0], 0.1, r"spatial axes, not \(1, 9, 10\)"),
    (IMAGE.mul(255).to(torch.uint8), 0.1, "not torch.uint8"),
    (IMAGE.to(torch.complex64), 0.1, "not torch.complex64"),
    (IMAGE.numpy(), 0.1, "not float32"),
    ([[0.5]], 0.1, "not list"),
    (IMAGE / 0, 0.1, "values that are not finite"),
]


@pytest.mark.parametrize(("image", "level", "message"), BAD)
def test_what_cannot_be_denoised_is_told(
    module: torch.nn.Module, image: Any, level: Any, message: str
) -> None:
    with pytest.raises(p2n.DeclarationError, match=message):
        Denoiser(module)(image, level)


def test_another_device_is_told(module: torch.nn.Module) -> None:
    with pytest.raises(p2n.DeclarationError, match="images are on meta, the network on cpu"):
        Denoiser(module)(IMAGE.to("meta"), 0.1)


def test_modules_that_are_no_denoisers_are_told(module: torch.nn.Module) -> None:
    with pytest.raises(p2n.DeclarationError, match="module of pde2net"):
        Denoiser(torch.nn.Identity())
    with pytest.raises(p2n.DeclarationError, match="positive and finite"):
        Denoiser(module, sigma=-1)
    K = p2n.LinearOperator("K", 4, 3)
    problem = p2n.Problem(sp.Eq(u.diff(t), -K.adjoint(K(u))))
    other = p2n.compile(problem, p2n.Explicit(tau=None), trainable=[K], keep_stable=True).module()
    with pytest.raises(p2n.DeclarationError, match="this network takes neither"):
        Denoiser(other)
