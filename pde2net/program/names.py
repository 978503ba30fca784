"""Python identifiers for symbols and nodes, none of which means anything else in the emitted text.

Which words the text uses itself is seen in a draft, which has a mark at the end of every identifier that is
made here: what carries no mark belongs to the text (`emit.words`).
"""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

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


def snake(name: str) -> str:
    """CellGradient -> cell_gradient."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
