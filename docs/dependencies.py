"""What theracode stands on: the licence list (docs/licences.md) and a bill of materials (CycloneDX 1.6), from requirements.lock.

Run it where the locked versions are installed: ``make licences`` and ``make sbom``.
"""

from __future__ import annotations

import json
import re
import sys
from importlib.metadata import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PLAIN = {
    "BSD": "BSD-3-Clause", "BSD License": "BSD-3-Clause", "3-Clause BSD License": "BSD-3-Clause", "MIT License": "MIT",
    "Apache Software License": "Apache-2.0", "Apache 2.0": "Apache-2.0", "Apache License 2.0": "Apache-2.0",
    "ISC License (ISCL)": "ISC", "ISC License": "ISC", "PSFL": "PSF-2.0", "Python Software Foundation License": "PSF-2.0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}  # fmt: skip
READ = {"skops": "MIT"}  # from the licence file, where the metadata says nothing
HEAD = """# Licences of what theracode stands on

Every package of `requirements.lock`, as its own metadata states it. None of them asks for the source of a
program that uses it; MPL-2.0 asks for the changes to its own files. `make licences` writes this page anew.

| package | version | licence |
|---|---|---|
"""


def locked() -> list[tuple[str, str, list[str]]]:
    """(name, version, SHA-256 sums) of every package of the lock."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    packages = re.split(r"^(?=[\w.-]+==)", lock, flags=re.MULTILINE)[1:]
    found = []
    for package in packages:
        name, version = package.split(" ", maxsplit=1)[0].split("==")
        found.append((name, version, re.findall(r"--hash=sha256:(\w+)", package)))
    return found


def licence(name: str) -> str:
    """The licence of an installed package as an SPDX expression where its metadata allows it."""
    about = metadata(name)
    stated = about.get("License-Expression")
    classes = [line.rpartition(" :: ")[2] for line in about.get_all("Classifier", []) if line.startswith("License ::")]
    words = [word for word in classes if word != "OSI Approved"] or [(about.get("License") or "").split("\n")[0].strip()]
    return stated or " OR ".join(dict.fromkeys(PLAIN.get(word, word) for word in words)) or READ.get(name, "not stated")


def licences() -> str:
    """The licence page."""
    return HEAD + "".join(f"| {name} | {version} | {licence(name)} |\n" for name, version, _ in locked())


def bill() -> str:
    """The bill of materials; the same lock gives the same text."""
    components = []
    for name, version, sums in locked():
        place = f"pkg:pypi/{name}@{version}"
        hashes = [{"alg": "SHA-256", "content": value} for value in sums]
        components.append(
            {
                "type": "library", "name": name, "version": version, "purl": place, "bom-ref": place,
                "licenses": [{"license": {"name": licence(name)}}],
                "externalReferences": [{"type": "distribution", "url": place, "hashes": hashes}],
            }
        )  # fmt: skip
    about = {"component": {"type": "application", "name": "theracode", "bom-ref": "theracode"}}
    document = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "metadata": about, "components": components}
    return json.dumps(document, indent=1) + "\n"


if __name__ == "__main__":
    sys.stdout.write({"licences": licences, "sbom": bill}[sys.argv[1]]())
