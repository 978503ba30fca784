"""Writes what editors know of the text language, and packs the extension for VS Code, a .vsix.

python editors/pack.py [FOLDER]    the grammar beside this file; with a folder, the extension in there as well

The bytes are the same on every machine.
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from pde2net.language.text.words import pattern, words

HERE = Path(__file__).parent
EXTENSION = HERE / "vscode"
LICENCE = HERE.parent / "LICENSE"
GRAMMAR = EXTENSION / "syntaxes" / "pde2net.tmLanguage.json"
TYPES = {"json": "application/json", "md": "text/markdown", "txt": "text/plain", "vsixmanifest": "text/xml"}


def grammar() -> dict[str, Any]:
    """The TextMate grammar: the words of the language, by kind."""
    call = r"(?=[ \t]*\()"

    def any_of(kind: str) -> str:
        return f"({'|'.join(words()[kind])})\\b"

    scopes = {
        "comment.line.number-sign": "#.*$",
        "keyword.declaration": f"^{any_of('statement')}",
        "keyword.control": rf"\b{any_of('control')}",
        "keyword.operator.word": rf"\b{any_of('operator')}",
        "support.class": rf"\b{any_of('scheme')}{call}",
        "support.function": rf"\b{any_of('function')}{call}",
        "constant.language": rf"\b{any_of('constant')}",
        "constant.numeric": rf"(?<!\w){pattern('NUMBER')}",
        "entity.name.function": pattern("NAME") + call,
        "variable.other": pattern("NAME"),
        "keyword.operator": "[-+*/^=<>!|]",
    }
    return {
        "name": "pde2net",
        "scopeName": "source.pde2net",
        "patterns": [{"name": f"{scope}.pde2net", "match": match} for scope, match in scopes.items()],
    }


def written() -> str:
    """The grammar as it lies in the repository."""
    return json.dumps(grammar(), indent=2) + "\n"


def pack(folder: Path) -> Path:
    """Write the extension to the folder."""
    package = json.loads((EXTENSION / "package.json").read_text(encoding="utf-8"))
    files = (path for path in EXTENSION.rglob("*.*") if path.is_file())
    contents = {f"extension/{f.relative_to(EXTENSION).as_posix()}": f.read_bytes() for f in files}
    contents["extension/LICENSE.txt"] = LICENCE.read_bytes()
    contents["extension.vsixmanifest"] = _manifest(package).encode()
    contents["[Content_Types].xml"] = _types().encode()
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{package['name']}-{package['version']}.vsix"
    with zipfile.ZipFile(target, "w") as archive:
        for name in sorted(contents):
            # Neither times nor compression, which differ from machine to machine.
            archive.writestr(zipfile.ZipInfo(name), contents[name])
    return target


def _manifest(package: dict[str, Any]) -> str:
    identity = {
        "Language": "en-US",
        "Id": package["name"],
        "Version": package["version"],
        "Publisher": package["publisher"],
    }
    properties = {
        "Microsoft.VisualStudio.Code.Engine": package["engines"]["vscode"],
        "Microsoft.VisualStudio.Services.Links.Source": package["repository"]["url"],
        "Microsoft.VisualStudio.Services.GitHubFlavoredMarkdown": "true",
    }
    assets = {
        "Microsoft.VisualStudio.Code.Manifest": "extension/package.json",
        "Microsoft.VisualStudio.Services.Content.Details": "extension/README.md",
        "Microsoft.VisualStudio.Services.Content.License": "extension/LICENSE.txt",
    }
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        '<PackageManifest Version="2.0.0" xmlns="http://schemas.microsoft.com/developer/vsx-schema/2011">',
        "  <Metadata>",
        f"    <Identity {' '.join(f'{key}={quoteattr(value)}' for key, value in identity.items())}/>",
        f"    <DisplayName>{escape(package['displayName'])}</DisplayName>",
        f'    <Description xml:space="preserve">{escape(package["description"])}</Description>',
        f"    <Tags>{escape(','.join(package['keywords']))}</Tags>",
        f"    <Categories>{escape(','.join(package['categories']))}</Categories>",
        "    <GalleryFlags>Public</GalleryFlags>",
        "    <Properties>",
        *(
            f"      <Property Id={quoteattr(key)} Value={quoteattr(value)}/>"
            for key, value in properties.items()
        ),
        "    </Properties>",
        f"    <License>{assets['Microsoft.VisualStudio.Services.Content.License']}</License>",
        "  </Metadata>",
        '  <Installation><InstallationTarget Id="Microsoft.VisualStudio.Code"/></Installation>',
        "  <Dependencies/>",
        "  <Assets>",
        *(f'    <Asset Type="{kind}" Path="{path}" Addressable="true"/>' for kind, path in assets.items()),
        "  </Assets>",
        "</PackageManifest>",
    ]
    return "\n".join(lines) + "\n"


def _types() -> str:
    entries = "".join(f'<Default Extension=".{end}" ContentType="{kind}"/>' for end, kind in TYPES.items())
    namespace = "http://schemas.openxmlformats.org/package/2006/content-types"
    return f'<?xml version="1.0" encoding="utf-8"?>\n<Types xmlns="{namespace}">{entries}</Types>\n'


if __name__ == "__main__":
    GRAMMAR.write_text(written(), encoding="utf-8")
    for folder in sys.argv[1:]:
        print(pack(Path(folder)))
