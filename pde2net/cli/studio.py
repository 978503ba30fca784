"""`pde2net studio`."""

from __future__ import annotations

import socket
from pathlib import Path

from pde2net.cli.say import Say
from pde2net.errors import DeclarationError, FileError
from pde2net.files import read_text
from pde2net.load import is_text


def serve_file(file: Path | None, port: int, show: bool, say: Say) -> None:
    """Serve the page on a port of this machine, 0 for any that is free."""
    try:
        from pde2net.studio.page import serve
    except ImportError as error:
        raise DeclarationError('The studio needs NiceGUI: pip install "pde2net[studio]".') from error
    if file is not None and not is_text(file):
        raise FileError(f"{file}: the studio edits texts, whose names end in .pde.")
    text = None if file is None else read_text(file)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise DeclarationError(f"The port {port} is in use: choose another one, --port 0.") from error
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    say.answer(f"pde2net studio: {address}  (Ctrl+C ends it)")
    say.data(address=address)
    serve(text, port, show)
