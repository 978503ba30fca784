"""pde2net: compile a diffusion PDE to a PyTorch network together with a certificate of its stability.

Declarations are imported at once; what compiles, proves and advises is when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

import pde2net.offered
import pde2net.scheme.registry  # noqa: F401  knows all schemes
from pde2net.errors import (
    CertificateError,
    DeclarationError,
    EmissionError,
    EquationError,
    FileError,
    GridWarning,
    Pde2NetError,
    RecheckError,
    StabilityError,
    StabilityWarning,
    TextError,
    TrainingError,
)
from pde2net.language import diffusivities
from pde2net.language.calculus import div, dot, grad, hessian, laplacian, norm2
from pde2net.language.declaration import Declaration
from pde2net.language.energy import gradient_flow
from pde2net.language.grid import Grid
from pde2net.language.linear_operator import LinearOperator
from pde2net.language.problem import Problem
from pde2net.language.schemes import AOS, FED, FSI, RKL, DuFortFrankel, Explicit, Implicit, Multigrid, Theta
from pde2net.language.sides import flux, robin, value
from pde2net.language.smoothing import smooth
from pde2net.language.solvers import Descent, FixedPoint, Kacanov, Newton
from pde2net.language.spline import Spline
from pde2net.language.symbols import Input
from pde2net.language.tensors import coherence, principal_direction, structure_tensor, tensor
from pde2net.load import load, parse
from pde2net.scheme.rkc import RKC
from pde2net.verify.certificate import Certificate, Claim, Status

if TYPE_CHECKING:
    from pde2net import gallery, learn, models
    from pde2net.audit.recheck import recheck
    from pde2net.compiler import compile, verify  # noqa: A004  the public name of the interface
    from pde2net.guidance.advice import Advice
    from pde2net.guidance.advise import advise
    from pde2net.guidance.convergence import convergence
    from pde2net.guidance.refinement import Convergence
    from pde2net.network import Network
    from pde2net.restore.denoise import denoise
    from pde2net.restore.enhance import enhance
    from pde2net.restore.inpaint import inpaint
    from pde2net.restore.restored import Restored
    from pde2net.trajectory.moment import Moment, discrepancy
    from pde2net.trajectory.record import Trajectory

__version__ = "0.1.0"

_LATER = {
    "Advice": "pde2net.guidance.advice",
    "Convergence": "pde2net.guidance.refinement",
    "Moment": "pde2net.trajectory.moment",
    "Network": "pde2net.network",
    "Restored": "pde2net.restore.restored",
    "Trajectory": "pde2net.trajectory.record",
    "advise": "pde2net.guidance.advise",
    "compile": "pde2net.compiler",
    "convergence": "pde2net.guidance.convergence",
    "denoise": "pde2net.restore.denoise",
    "discrepancy": "pde2net.trajectory.moment",
    "enhance": "pde2net.restore.enhance",
    "gallery": "pde2net.gallery",
    "inpaint": "pde2net.restore.inpaint",
    "learn": "pde2net.learn",
    "models": "pde2net.models",
    "recheck": "pde2net.audit.recheck",
    "verify": "pde2net.compiler",
}
globals().pop("verify")  # the folder, which the import above put here under the name of the function


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(_LATER[name])
    found = globals()[name] = module if _LATER[name] == f"{__name__}.{name}" else getattr(module, name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


__all__ = [
    "AOS",
    "FED",
    "FSI",
    "RKC",
    "RKL",
    "Advice",
    "Certificate",
    "CertificateError",
    "Claim",
    "Convergence",
    "Declaration",
    "DeclarationError",
    "Descent",
    "DuFortFrankel",
    "EmissionError",
    "EquationError",
    "Explicit",
    "FileError",
    "FixedPoint",
    "Grid",
    "GridWarning",
    "Implicit",
    "Input",
    "Kacanov",
    "LinearOperator",
    "Moment",
    "Multigrid",
    "Network",
    "Newton",
    "Pde2NetError",
    "Problem",
    "RecheckError",
    "Restored",
    "Spline",
    "StabilityError",
    "StabilityWarning",
    "Status",
    "TextError",
    "Theta",
    "TrainingError",
    "Trajectory",
    "advise",
    "coherence",
    "compile",
    "convergence",
    "denoise",
    "diffusivities",
    "discrepancy",
    "div",
    "dot",
    "enhance",
    "flux",
    "gallery",
    "grad",
    "gradient_flow",
    "hessian",
    "inpaint",
    "laplacian",
    "learn",
    "load",
    "models",
    "norm2",
    "parse",
    "principal_direction",
    "recheck",
    "robin",
    "smooth",
    "structure_tensor",
    "tensor",
    "value",
    "verify",
]
