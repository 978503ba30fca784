"""`pde2net export`: files, messages and exit status."""

import torch

TEXT = """
unknown  u(x, y, t)
equation u_t = laplacian(u)
scheme   {scheme}
"""


def test_a_file_is_written_and_said_what_it_takes(command, heat, tmp_path):
    done = command("export", heat(), "-o", "net.pt2", "--dtype", "float64")
    assert done.status == 0 and not done.err
    assert done.out.startswith("net.pt2: u (batch, 1, x") and "l2 stability is proved" in done.out
    assert torch.export.load(tmp_path / "net.pt2")


def test_refusals_are_one_line_in_the_language_of_the_file(command, tmp_path):
    file = tmp_path / "net.pde"
    for scheme, options, words in (
        ("implicit(tau = 2, solver = kacanov(tol = 1e-4))", (), "write iterations = ..."),
        ("multigrid(tau = 2)", (), "--size 256"),
        ("explicit(tau = 1/5)", ("--size", 8, "--size", 8, "--size", 8), "--size is one number"),
        ("explicit(tau = 1/5)", ("-o", "net.py"), ".onnx or .pt2"),
    ):
        file.write_text(TEXT.format(scheme=scheme))
        done = command("export", file, "-o", "net.pt2", *options)
        assert done.status == 2 and words in done.err and done.err.count("\n") == 1, done
        assert not (tmp_path / "net.pt2").exists()
