"""Python identifiers for symbols and nodes, none of which means anything else in the emitted text.

Which words the text uses itself is read from the text: a draft is emitted with a mark at the end of every
identifier that is made here, and what carries no mark belongs to the text (`emit.emit`).
"""

from __future__ import annotations

import ast
import keyword
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeGuard

MARK = "\u01c1"  # a letter that nobody uses
# The attributes of nn.Module, which a parameter must not hide.
_MODULE = (
    "T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda double "
    "dump_patches eval extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half "
    "ipu load_state_dict modules mtia named_buffers named_children named_modules named_parameters parameters "
    "register_backward_hook register_buffer register_forward_hook register_forward_pre_hook "
    "register_full_backward_hook register_full_backward_pre_hook register_load_state_dict_post_hook "
    "register_load_state_dict_pre_hook register_module register_parameter register_state_dict_post_hook "
    "register_state_dict_pre_hook requires_grad_ set_extra_state set_submodule share_memory state_dict to "
    "to_empty train training type xpu zero_grad"
)


@dataclass(frozen=True)
class Namer:
    """Makes identifiers.

    own         the variables, functions and classes of the text itself, where it has identifiers of ours
    attributes  those that it gives to modules
    mark        ends each identifier, in a draft
    """

    own: frozenset[str] = frozenset()
    attributes: frozenset[str] = frozenset()
    mark: str = ""

    def identifier(self, name: str, taken: Iterable[str] = ()) -> str:
        """`name`, with "_" for other characters, and at its end where it is taken or the text's own."""
        text = unicodedata.normalize("NFKC", name)
        text = text if text.isidentifier() else re.sub(r"\W", "_", text, flags=re.ASCII)
        if not text or text[0].isdigit() or text[0] == "_":
            text = f"p{text}"
        others = set(taken)
        while keyword.iskeyword(text) or text in self.own or text + self.mark in others:
            text += "_"
        return text + self.mark

    def attribute(self, name: str, taken: Iterable[str] = ()) -> str:
        """The same for what a module has beside attributes of its own, and its constructor takes."""
        own = (*self.attributes, *_MODULE.split())
        return self.identifier(name, [*taken, *(word + self.mark for word in own)])


def is_argument(name: str) -> bool:
    """Whether Python can pass an argument of a method by that name, which it does not change."""
    plain = name.isidentifier() and unicodedata.normalize("NFKC", name) == name
    return plain and not keyword.iskeyword(name) and not name.startswith("__")


def read(draft: str) -> Namer:
    """What makes the identifiers of a text, from the draft of it.

    Functions without marks have variables of their own alone, which nothing can be confused with.
    """
    tree = ast.parse(draft)
    own, attributes = set(_defined(tree)), set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            attributes |= _defined(node) | {n.attr for n in ast.walk(node) if _is_own_attribute(n)}
        elif isinstance(node, ast.FunctionDef):
            variables = _variables(node)
            own |= variables if any(v.endswith(MARK) for v in variables) else set()
    return Namer(_unmarked(own), _unmarked(attributes))


def _unmarked(words: set[str]) -> frozenset[str]:
    return frozenset(w for w in words if not w.endswith(MARK))


def _defined(node: ast.Module | ast.ClassDef) -> set[str]:
    """The functions, classes and imports in a module, or the methods in a class."""
    found = {n.name for n in node.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    aliases = [a for n in node.body if isinstance(n, ast.Import | ast.ImportFrom) for a in n.names]
    return found | {a.asname or a.name for a in aliases}


def _variables(function: ast.FunctionDef) -> set[str]:
    nodes = list(ast.walk(function))
    return {n.id for n in nodes if isinstance(n, ast.Name)} | {n.arg for n in nodes if isinstance(n, ast.arg)}


def _is_own_attribute(node: ast.AST) -> TypeGuard[ast.Attribute]:
    owner = node.value if isinstance(node, ast.Attribute) else None
    return isinstance(owner, ast.Name) and owner.id == "self"


def snake(name: str) -> str:
    """CellGradient -> cell_gradient."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
