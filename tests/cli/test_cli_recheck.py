"""`recheck` and `compile --certificate`: output, messages and exit status."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def written(command: Any, heat: Any, tmp_path: Path) -> tuple[Path, Path]:
    """A certificate and its source."""
    certificate, source = tmp_path / "certificate.json", tmp_path / "net.py"
    result = command("compile", heat(), "-o", source, "--certificate", certificate)
    assert result.status == 0 and str(certificate) in result.out
    return certificate, source


def test_what_compile_wrote_is_accepted(command: Any, written: tuple[Path, Path]) -> None:
    result = command("recheck", *written)
    assert result.status == 0 and not result.err
    assert "net.py is the source that it is about" in result.out
    assert "Stable: l2 stability is proved for tau = 1/4" in result.out
    alone = command("recheck", written[0])
    digest = json.loads(written[0].read_text())["source"]["sha256"]
    assert alone.status == 0 and digest in alone.out


def test_the_json_of_verify_is_accepted(command: Any, heat: Any, tmp_path: Path) -> None:
    (tmp_path / "verified.json").write_text(command("verify", heat(), "--json").out)
    assert command("recheck", "verified.json").status == 0


def one_line(result: Any, status: int, words: str) -> None:
    assert result.status == status and not result.out
    assert result.err.startswith("pde2net: ") and words in result.err and result.err.count("\n") == 1


def test_what_was_edited_is_refused(command: Any, written: tuple[Path, Path]) -> None:
    certificate, source = written
    text, code = certificate.read_text(), source.read_text()
    source.write_text(code.replace("0.25", "0.5"))
    assert source.read_text() != code
    one_line(command("recheck", certificate, source), 1, "The source is not the one")
    source.write_bytes(code.replace("\n", "\r\n").encode())
    one_line(command("recheck", certificate, source), 1, "The source is not the one")
    certificate.write_text(text.replace('"limit": "1/4"', '"limit": "1/2"'))
    one_line(command("recheck", certificate), 1, "limit is 1/2; derived again it is 1/4")


def test_what_is_no_certificate_is_bad_input(
    command: Any, written: tuple[Path, Path], tmp_path: Path
) -> None:
    certificate, source = written
    one_line(command("recheck", tmp_path / "none.json"), 2, "Cannot read")
    one_line(command("recheck", certificate, tmp_path / "none.py"), 2, "Cannot read")
    one_line(command("recheck", source), 2, "not a certificate")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe")
    one_line(command("recheck", tmp_path / "bytes.json"), 2, "no text in UTF-8")
    old = certificate.read_text().replace("certificate-5", "certificate-4")
    certificate.write_text(old)
    one_line(command("recheck", certificate), 2, "This is a pde2net-certificate-4")
