"""Long statements mean the same after they were broken over lines."""

import ast

import pytest

from pde2net.emit.line_breaks import WIDTH, broken
from pde2net.emit.parse import parse

TERM = "u_x * torch.square(torch.clamp(1 - 0.2 * g, min=0))"


@pytest.mark.parametrize(
    "statement",
    [
        f"flux = c1_x * ({TERM} - 0.5 * u_x * torch.tanh(0.001 * g) + {TERM} + u_x)",
        f"flux = ({TERM} + {TERM} + {TERM})",
        f"return u - self.tau * torch.where(g < 1, {TERM} + {TERM}, {TERM} - {TERM})",
        f"a = f(({TERM} + {TERM} - {TERM} * ({TERM} - {TERM} - {TERM})))",
        f"raise ValueError({TERM} + {TERM} + {TERM})",
        f"flux = u_x * ({TERM} + {TERM} + {TERM})",
        "return {" + ", ".join(f'"a, ({k}": self.a{k}' for k in range(20)) + "}",
        f"a = [f(a, b) for a, b in zip({TERM}, {TERM}, {TERM}) for c in b]",
        f'self.register("signs, (all", torch.tensor({[[[1, -1]]] * 20}, dtype=torch.float64))',
    ],
)
def test_breaking_keeps_the_meaning(statement):
    lines = broken(statement, "    ")
    assert len(lines) > 1 and all(len(line) <= WIDTH for line in lines)
    together = "def f():\n" + "\n".join(lines)
    assert ast.dump(ast.parse(together)) == ast.dump(ast.parse(f"def f():\n    {statement}"))


@pytest.mark.parametrize(
    "statement",
    [
        f"if {TERM} + {TERM} + {TERM} > 0:",
        f"while not finished({TERM}) and {TERM} + {TERM} < {TERM}:",
        f"for k, own in first({TERM}) + second({TERM}) + [u_x]:",
        f"sums[writes[turn[17] + k, 2]] += {TERM} + {TERM} + {TERM}",
        f"self.first, a[k + 1] = {TERM} + {TERM} + {TERM}, {TERM}",
    ],
)
def test_breaking_headers_and_targets_keeps_the_meaning(statement):
    lines = broken(statement, "    ")
    assert len(lines) > 1
    inner = "\n        pass" if statement.endswith(":") else ""
    together = "def f():\n" + "\n".join(lines) + inner
    assert ast.dump(ast.parse(together)) == ast.dump(ast.parse(f"def f():\n    {statement}{inner}"))


def test_definitions_are_read_as_they_are_emitted():
    text = '''
    class Steps(nn.Module):
        """$what.

        Two lines.
        """

        fast = True

        @staticmethod
        def of(u: Tensor, sizes: tuple[int, ...] = (1, 2)) -> Tensor:  # if open
            """One."""
            for s in sizes:  # unless short
                u = u + s

            $more
            return u  # kept

        def last(self) -> None:  # unless open
            pass

    def long(
        u: Tensor, v: Tensor,
        f: Product = lambda r: r
    ) -> Tensor:
        return f(u) + ${what}(v)
    '''
    for short in (False, True):
        steps, long = parse(text, what="cos", more=["u = -u", "u = 2 * u"], open=True, short=short)
        assert (steps.name, steps.base, steps.doc.strip()) == ("Steps", "nn.Module", "cos.\n\nTwo lines.")
        assert steps.attributes == ["fast = True"]
        (of,) = steps.members
        assert of.arguments == ["u: Tensor", "sizes: tuple[int, ...] = (1, 2)"]
        loop = [] if short else ["for s in sizes:", "    u = u + s", ""]
        assert of.body == [*loop, "u = -u", "u = 2 * u", "return u  # kept"]
        assert of.decorators == ["@staticmethod"]
        assert long.arguments == ["u: Tensor", "v: Tensor", "f: Product = lambda r: r"]
        assert (long.doc, long.body) == ("", ["return f(u) + cos(v)"])
    (last,) = parse(text, what="", more=[], open=False, short=True)[0].members
    assert last.name == "last"
    with pytest.raises(KeyError):
        parse("def f() -> None:\n    return $unknown\n")
