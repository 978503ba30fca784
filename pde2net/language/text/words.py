"""The words of the text language by kind, for what colours them: editors (editors/pack.py) and Pygments."""

from __future__ import annotations

from lark.lexer import PatternStr

from pde2net.language.borders import BORDERS
from pde2net.language.grid import GRADIENTS
from pde2net.language.schemes import SCHEMES
from pde2net.language.solvers import SOLVERS
from pde2net.language.text.build import TRUTH
from pde2net.language.text.expressions import APPLIED, OPERATORS, Scope, functions
from pde2net.language.text.parse import grammar, statements
from pde2net.language.text.write import keyword


def words() -> dict[str, tuple[str, ...]]:
    """What the grammar and the tables of the language know, schemes and diffusivities of your own included.

    statement   begins a line
    control     stands between expressions or before them: if, in, value, ...
    operator    is applied to the operand that follows
    function    is called
    scheme      is called by "scheme" and "solver ="
    constant    is a choice or a number
    """
    literal = (t.pattern.value for t in grammar().terminals if isinstance(t.pattern, PatternStr))
    return {
        "statement": statements(),
        "control": tuple(sorted(w for w in literal if w.isalpha() and w not in statements())),
        "operator": (*OPERATORS, *APPLIED),
        "function": tuple(functions()),
        "scheme": tuple(map(keyword, (*SCHEMES, *SOLVERS))),
        "constant": (*BORDERS, *GRADIENTS, *TRUTH, *Scope().names, "largest", "oo"),
    }


def pattern(terminal: str) -> str:
    """The regular expression of NAME or NUMBER."""
    return str(next(t.pattern.value for t in grammar().terminals if t.name == terminal))
