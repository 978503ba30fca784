"""The .pde text language: grammar/pde.lark to a declaration and back, without evaluating text as code."""
