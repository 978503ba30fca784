"""Long statements mean the same after they were broken over lines."""

import ast

import pytest

from pde2net.emit.line_breaks import WIDTH, broken

TERM = "u_x * torch.square(torch.clamp(1 - 0.2 * g, min=0))"


@pytest.mark.parametrize(
    "statement",
    [
        f"flux = c1_x * ({TERM} - 0.5 * u_x * torch.tanh(0.001 * g) + {TERM} + u_x)",
        f"flux = ({TERM} + {TERM} + {TERM})",
        f"return u - self.tau * torch.where(g < 1, {TERM} + {TERM}, {TERM} - {TERM})",
        f"a = f(({TERM} + {TERM} - {TERM} * ({TERM} - {TERM} - {TERM})))",
        f"raise ValueError({TERM} + {TERM} + {TERM})",
    ],
)
def test_breaking_keeps_the_meaning(statement):
    lines = broken(statement, "    ")
    assert len(lines) > 1 and all(len(line) <= WIDTH for line in lines)
    together = "def f():\n" + "\n".join(lines)
    assert ast.dump(ast.parse(together)) == ast.dump(ast.parse(f"def f():\n    {statement}"))
