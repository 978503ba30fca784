"""Krylov methods as definitions of emitted source."""

from __future__ import annotations

from pde2net.emit.tree import Function

DOT = Function(
    "dot",
    ("a: Tensor", "b: Tensor"),
    "Tensor",
    "The inner product of each image of a batch, shape (batch, 1, ..., 1).",
    ["return (a * b).sum(tuple(range(1, a.dim())), keepdim=True)"],
)

QUOTIENT = Function(
    "quotient",
    ("a: Tensor", "b: Tensor"),
    "Tensor",
    "a / b, and 0 where b is 0: images that have converged stay as they are.",
    ["return torch.where(b == 0, 0.0, a / torch.where(b == 0, 1.0, b))"],
)

CG = Function(
    "conjugate_gradients",
    ("product: Product", "rhs: Tensor", "tol: float", "most: int"),
    "Tensor",
    "x with product(x) = rhs, symmetric and positive definite; from x = 0, so that the norm of x only grows.",
    [
        "x, r, p = torch.zeros_like(rhs), rhs, rhs",
        "rho = dot(r, r)",
        "bound = max(tol, 4 * torch.finfo(rhs.dtype).eps) ** 2 * rho",
        "for _ in range(most):",
        "    if (rho <= bound).all():",
        "        break",
        "    q = product(p)",
        "    alpha = quotient(rho, dot(p, q))",
        "    x, r = x + alpha * p, r - alpha * q",
        "    before, rho = rho, dot(r, r)",
        "    p = r + quotient(rho, before) * p",
        "return x",
    ],
)

DIAGONAL_CG = Function(
    "preconditioned_conjugate_gradients",
    ("product: Product", "rhs: Tensor", "tol: float", "most: int", "diagonal: Tensor"),
    "Tensor",
    "x with product(x) = rhs, symmetric and positive definite; preconditioned by its diagonal.",
    [
        "x, r, p = torch.zeros_like(rhs), rhs, rhs / diagonal",
        "size, rho = dot(r, r), dot(r, p)",
        "bound = max(tol, 4 * torch.finfo(rhs.dtype).eps) ** 2 * size",
        "for _ in range(most):",
        "    if (size <= bound).all():",
        "        break",
        "    q = product(p)",
        "    alpha = quotient(rho, dot(p, q))",
        "    x, r = x + alpha * p, r - alpha * q",
        "    z = r / diagonal",
        "    size, rho, before = dot(r, r), dot(r, z), rho",
        "    p = z + quotient(rho, before) * p",
        "return x",
    ],
)

FLEXIBLE_CG = Function(
    "flexible_conjugate_gradients",
    ("product: Product", "rhs: Tensor", "tol: float", "most: int", "precondition: Product"),
    "Tensor",
    "x with product(x) = rhs, symmetric and positive definite (Notay 2000), from x = 0.\n\n"
    "`precondition` need be neither symmetric nor linear: each direction p is made conjugate to the last.",
    [
        "x, r = torch.zeros_like(rhs), rhs",
        "p = q = torch.zeros_like(rhs)",
        "curvature = dot(p, q)",
        "bound = max(tol, 4 * torch.finfo(rhs.dtype).eps) ** 2 * dot(r, r)",
        "for _ in range(most):",
        "    done = dot(r, r) <= bound",
        "    if done.all():",
        "        break",
        "    z = precondition(r)",
        "    p = z - quotient(dot(z, q), curvature) * p",
        "    q = product(p)",
        "    curvature = dot(p, q)",
        "    alpha = quotient(dot(p, r), curvature).masked_fill(done, 0)",
        "    x, r = x + alpha * p, r - alpha * q",
        "return x",
    ],
)


def bicgstab(preconditioned: bool) -> Function:
    """With an argument that preconditions from the right, or without."""
    first, second = ("y", "z") if preconditioned else ("p", "s")
    more = ("precondition: Product = lambda r: r",) if preconditioned else ()
    doc = "x with product(x) = rhs by stabilised biconjugate gradients (van der Vorst 1992), from x = 0."
    if preconditioned:
        doc += "\n\n`precondition` acts from the right, on the directions."
    return Function(
        "bicgstab",
        ("product: Product", "rhs: Tensor", "tol: float", "most: int", *more),
        "Tensor",
        doc,
        [
            "x, r, p, shadow = torch.zeros_like(rhs), rhs, rhs, rhs",
            "rho = size = dot(r, r)",
            "bound = max(tol, 4 * torch.finfo(rhs.dtype).eps) ** 2 * size",
            "for _ in range(most):",
            "    done = size <= bound",
            "    if done.all():",
            "        break",
            *(["    y = precondition(p)"] if preconditioned else []),
            f"    q = product({first})",
            "    alpha = quotient(rho, dot(shadow, q)).masked_fill(done, 0)",
            "    s = r - alpha * q",
            *(["    z = precondition(s)"] if preconditioned else []),
            f"    w = product({second})",
            "    omega = quotient(dot(w, s), dot(w, w)).masked_fill(done, 0)",
            f"    x, r = x + alpha * {first} + omega * {second}, s - omega * w",
            "    size = dot(r, r)",
            "    before, rho = rho, dot(shadow, r)",
            "    p = r + quotient(rho, before) * quotient(alpha, omega) * (p - omega * q)",
            "return x",
        ],
    )


BICGSTAB = bicgstab(preconditioned=False)
