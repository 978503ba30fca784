"""Python identifiers for symbols and nodes."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable

# What the emitted text uses itself, and the attributes of nn.Module that a parameter must not hide.
_OWN = (
    "torch math nn F Tensor self u steps block blocks beyond dim n wide inner out after super range tuple "
    "isinstance object int float TypeError ValueError nan v rhs trial new residual previous start "
    "grid grids coarse frozen operator net sweeps filters respond respond_adjoint wrapped wrapped_adjoint "
    "norm_bound gram_norm at_most keep_stable"
)
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
RESERVED = frozenset(_OWN.split()) | frozenset(_MODULE.split())


def identifier(name: str, taken: Iterable[str] = ()) -> str:
    """`name` as an identifier: other characters become "_", reserved or taken words get a trailing "_"."""
    text = re.sub(r"\W", "_", name, flags=re.ASCII) if not name.isidentifier() else name
    if not text or text[0].isdigit() or text[0] == "_":
        text = f"p{text}"
    others = set(taken)
    while keyword.iskeyword(text) or text in RESERVED or text in others:
        text += "_"
    return text


def identifiers(names: Iterable[str]) -> dict[str, str]:
    """A distinct identifier for each name, in the order given."""
    found: dict[str, str] = {}
    for name in names:
        found[name] = identifier(name, found.values())
    return found


def snake(name: str) -> str:
    """CellGradient -> cell_gradient."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
