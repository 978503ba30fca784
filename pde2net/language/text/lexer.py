"""Pygments colours texts: `pygmentize -l pde2net`, by the entry point of the package."""

from __future__ import annotations

import re
from typing import ClassVar

from pygments.lexer import RegexLexer
from pygments.lexer import words as any_of
from pygments.token import Comment, Keyword, Name, Number, Operator, Punctuation, Token, Whitespace

from pde2net.language.text.parse import statements
from pde2net.language.text.words import pattern, words

_WORDS = words()
_FIRST = re.compile(rf"^({'|'.join(statements())})\b", re.M)


class PdeLexer(RegexLexer):  # type: ignore[misc]  # Pygments has no types
    """Of a diffusion PDE in the text language."""

    name = "pde2net"
    url = "https://github.com/pde2net/pde2net"
    aliases: ClassVar[list[str]] = ["pde2net"]
    filenames: ClassVar[list[str]] = ["*.pde"]
    mimetypes: ClassVar[list[str]] = ["text/x-pde2net"]
    tokens: ClassVar[dict[str, list[tuple[object, type[Token]]]]] = {
        "root": [
            (r"\s+", Whitespace),
            (r"#.*$", Comment.Single),
            (any_of(_WORDS["statement"], prefix="^", suffix=r"\b"), Keyword.Declaration),
            (any_of(_WORDS["control"], suffix=r"\b"), Keyword),
            (any_of(_WORDS["operator"], suffix=r"\b"), Operator.Word),
            (any_of(_WORDS["scheme"], suffix=r"\b(?=[ \t]*\()"), Name.Class),
            (any_of(_WORDS["function"], suffix=r"\b(?=[ \t]*\()"), Name.Builtin),
            (any_of(_WORDS["constant"], suffix=r"\b"), Keyword.Constant),
            (pattern("NUMBER"), Number),
            (pattern("NAME") + r"(?=[ \t]*\()", Name.Function),
            (pattern("NAME"), Name),
            (r"[-+*/^|=<>!]", Operator),
            (r"[()\[\],:]", Punctuation),
        ]
    }

    def analyse_text(text: str) -> float:  # noqa: N805  Pygments makes it static
        """Sketches of Processing, whose files end in .pde too, begin no line with such a word."""
        return min(1.0, len(set(_FIRST.findall(text))) / 3)
