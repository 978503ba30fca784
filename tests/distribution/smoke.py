"""What a pde2net that is installed has to do; `make test-versions` runs it with each Python.

It compiles Perona-Malik diffusion, runs the emitted module, verifies, and rechecks the certificate.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import sympy as sp
import torch

import pde2net as p2n

TEXT = """\
unknown   u(x, y, t)
parameter lambda > 0 = 0.1
equation  u_t = div(perona_malik(|grad u|^2, lambda) * grad u)
scheme    explicit(tau = 1/5, steps = 4)
"""


def smoke(folder: Path) -> None:
    """Raises where anything is wrong."""
    (folder / "perona_malik.pde").write_text(TEXT)
    declared = p2n.load(folder / "perona_malik.pde")
    network = p2n.compile(declared.problem, declared.scheme, declared.grid)
    u = torch.rand(2, 1, 16, 17)
    result = network.module()(u)
    assert result.shape == u.shape and result.norm() <= u.norm()
    assert str(network.certificate.claims["l2_stability"].status) == "proved"
    certificate = p2n.verify(declared.problem, declared.scheme, declared.grid)
    assert p2n.recheck(certificate.to_json(), network.source()).claims == certificate.claims
    try:
        p2n.compile(declared.problem, p2n.Explicit(sp.Rational(3, 10), 4), declared.grid)
    except p2n.StabilityError:
        return
    raise AssertionError("a step that is too large was compiled")


if __name__ == "__main__":
    with TemporaryDirectory() as temporary:
        smoke(Path(temporary))
    place = Path(p2n.__file__).parent
    print(f"pde2net {p2n.__version__}, Python {sys.version.split()[0]}, torch {torch.__version__}: {place}")
