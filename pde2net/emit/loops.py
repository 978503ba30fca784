"""The loops of emitted solvers: until a tolerance is met, image by image, and what is done if it is not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pde2net.emit.tree import Function

# What is left of a solution is rounding, and so is a part of it.
RELATIVE_TO_FIRST = (
    "floor = rounding(residual, v)",
    "bound = torch.where(scale <= 8 * floor, 8 * floor, torch.maximum(bound, floor))",
)
FROM_THE_BETTER_ONE = (
    "left = norm(residual(begun))",
    "v, size = torch.where(left <= size, begun, v), torch.where(left <= size, left, size)",
)
EXPORTED = (
    "if torch.compiler.is_exporting():",
    '    raise NotImplementedError("the number of {0} depends on the input: export a network of {1}")',
)


def until(
    what: str,
    fixed: str,
    residual: str,
    scale: str,
    update: Callable[[str], Sequence[str]],
    on_failure: str,
    start: str = "",
    unrolled: bool = False,
) -> list[str]:
    """Statements that iterate v until its residual is small, for each image alone.

    what      is counted, "iterations"; `fixed` is the option that makes their number a fixed one
    residual  of v as an expression, a method of v; `scale` is the norm that it is small against, or where
              that is 0 its norm at the start
    update    statements that set `new` to the next v; handed the name of the norm of the residual
    start     another first v, for the images where it leaves less than v
    unrolled  whether derivatives are those of the iterations, of the solution for images without any
    """
    best = on_failure == "best"
    body = [line.format(what, fixed) for line in EXPORTED]
    body += [
        f"residual = lambda v: {residual}",
        "size = first = norm(residual(v))",
        f"scale = {scale}",
        *([] if scale == "first" else ["scale = torch.where(scale > 0, scale, first)"]),
        "bound = max(self.tol, 50 * torch.finfo(v.dtype).eps) * scale",
        *([f"begun = {start}", *FROM_THE_BETTER_ONE] if start else []),
        *(RELATIVE_TO_FIRST if scale == "first" else []),
        *(["solved = size <= bound"] if unrolled else []),
        *(["best, least = v, size"] if best else []),
        "for _ in range(self.most):",
        "    done = (size <= bound) | ~size.isfinite()",
        "    if for_all(done):",
        "        break",
        *(f"    {line}" for line in update("size")),
        "    v = new if for_all(~done) else torch.where(done, v, new)",
        "    size = norm(residual(v))",
    ]
    if best:
        body += [
            "    best = torch.where(size < least, v, best)",
            "    least = torch.where(size < least, size, least)",
        ]
    missed = "size, scale, self.most"
    body.append("if not for_all(size <= bound):")
    if on_failure == "warn":
        body.append("    worse = first.isfinite() & ~(size <= first + rounding(residual, v))")
        missed += ", worse"
    result, of = ("best", "least") if best else ("v", "size")
    body.append(f"    not_converged({missed})")
    body.append(f"    {result} = torch.where({of}.isfinite(), {result}, torch.nan)")
    found = "torch.where(size <= bound, v, best)" if best else "v"
    body.append(f"return settled(solved, residual, {found})" if unrolled else f"return {found}")
    return body


def residuals(
    arguments: Sequence[str], doc: str, prelude: Sequence[str], loop: Sequence[str], rows: Sequence[str]
) -> Function:
    """The method of a network that measures what its steps leave.

    `loop` and the statements `rows` in it go from u to v; they set `left`, a residual, and `against`.
    """
    inside = [*rows, "found.append(relative(left, against))", "u = v"]
    body = [*prelude, "found = []", *loop, *(f"    {line}" for line in inside), "return torch.stack(found)"]
    return Function("residuals", arguments, "Tensor", doc, body, ("@torch.no_grad()",))
