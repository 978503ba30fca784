"""What FiPy computes of the problems of tests/discretise/fipy_cases.py, for a test to compare with.

    python -m pip install fipy && PYTHONPATH=tests/discretise python benchmarks/finite_volumes.py

writes tests/discretise/fipy_results.json. FiPy (Guyer, Wheeler, Warren, Comput. Sci. Eng. 11(3), 2009) is not
needed to run the test.
"""

from __future__ import annotations

import json

import fipy
import numpy as np
import sympy as sp
from fipy_cases import CASES, CELLS, RESULTS, SPACING, Case, x, y


def solved(case: Case) -> list[list[float]]:
    """The values of the cells, x before y."""
    make = fipy.PeriodicGrid2DTopBottom if case.periodic else fipy.Grid2D
    mesh = make(nx=CELLS[0], ny=CELLS[1], dx=float(SPACING[0]), dy=float(SPACING[1]))

    def cells(e: sp.Expr) -> fipy.CellVariable:
        return fipy.CellVariable(mesh, value=_at(e, *mesh.cellCenters.value))

    def faces(e: object) -> fipy.FaceVariable:
        return fipy.FaceVariable(mesh, value=_at(sp.sympify(e), *mesh.faceCenters.value))

    u = cells(x * y if case.steps else sp.S.Zero)
    # Means of two cells; on the border, where FiPy would take the cell's, the value on the face.
    coefficient = fipy.FaceVariable(mesh, value=cells(case.diffusivity).arithmeticFaceValue.value)
    coefficient.setValue(faces(case.diffusivity), where=mesh.exteriorFaces)
    inner = fipy.FaceVariable(mesh, value=coefficient.value)
    source, decay = cells(case.source), cells(case.decay)
    here = {
        "left": mesh.facesLeft,
        "right": mesh.facesRight,
        "bottom": mesh.facesBottom,
        "top": mesh.facesTop,
    }
    for side, (kind, *numbers) in case.sides.items():
        if kind == "value":
            u.constrain(faces(numbers[0]), where=here[side])
            continue
        # n . D grad u is q, or what a u + b n . grad u = c gives half a cell from the centre.
        a, b, c = (0, None, numbers[0]) if kind == "flux" else numbers
        inner.setValue(0.0, where=here[side])
        half = SPACING[0] / 2 if side in ("left", "right") else SPACING[1] / 2
        share = 1.0 if b is None else coefficient.value / (float(b) + float(a) * float(half))
        mask = here[side].value * share
        normal = fipy.FaceVariable(mesh, rank=1, value=mesh.faceNormals * mask)
        source = source + (normal * faces(c)).divergence
        decay = decay + (normal * faces(a)).divergence
    terms = fipy.DiffusionTerm(coeff=inner) + source - fipy.ImplicitSourceTerm(coeff=decay)
    if not case.steps:
        terms.solve(var=u, solver=fipy.LinearLUSolver(tolerance=1e-14))
    for _ in range(case.steps):
        equation = fipy.TransientTerm() == terms
        equation.solve(var=u, dt=float(case.dt), solver=fipy.LinearLUSolver(tolerance=1e-14))
    return np.reshape(u.value, CELLS[::-1]).T.tolist()


def _at(expression: sp.Expr, along_x: np.ndarray, along_y: np.ndarray) -> np.ndarray:
    return sp.lambdify((x, y), expression)(along_x, along_y) + 0.0 * along_x


if __name__ == "__main__":
    results = {name: solved(case) for name, case in CASES.items()}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(f"fipy {fipy.__version__}: {len(results)} results in {RESULTS}")
