"""What the claims of a certificate rest on, for each kind of scheme."""

from __future__ import annotations

from collections.abc import Mapping

from pde2net.audit import cells, cycles, du_fort_frankel, explicit
from pde2net.audit.claims import Rule
from pde2net.audit.iterations import solves_of
from pde2net.audit.lines import alpha_of
from pde2net.audit.numbers import Numbers
from pde2net.errors import RecheckError
from pde2net.language.schemes import CELLS, FED, FSI, RKL, DuFortFrankel, Multigrid
from pde2net.verify.certificate import Certificate


def rules(certificate: Certificate, numbers: Numbers) -> Mapping[str, Rule]:
    """The rule of each claim; `numbers` are those of the draw."""
    scheme = certificate.declaration.scheme
    size = explicit.size_of(scheme)
    if size is not None:
        return explicit.rules(size)
    if isinstance(scheme, DuFortFrankel):
        return du_fort_frankel.rules(scheme, alpha_of(certificate), certificate.tau, numbers)
    if isinstance(scheme, FSI | FED | RKL):
        return cycles.rules(scheme, certificate.tau)
    if isinstance(scheme, CELLS):
        return cells.rules(solves_of(scheme, numbers.semi), numbers)
    if isinstance(scheme, Multigrid):
        return {}
    raise RecheckError(f"certificates of {scheme.label} schemes cannot be rechecked")
