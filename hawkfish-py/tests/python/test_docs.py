"""What the README, the guide and the examples show runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Optional

import hawkfish
import pytest

PACKAGE = Path(__file__).parents[2]
DOCUMENTS = [PACKAGE / "README.md", PACKAGE.parent / "docs" / "python.md", PACKAGE.parent / "README.md"]
EXAMPLES = PACKAGE.parent / "examples" / "python"


def blocks(document: Path) -> list[tuple[int, str]]:
    """Line and text of each block of Python."""
    text = document.read_text()
    found, line = [], 1
    for piece, part in enumerate(text.split("```")):
        # The README of the project shows other people's clients, too, which a test of the server runs.
        if piece % 2 and part.startswith("python\n") and "import hawkfish" in part:
            found.append((line, part.removeprefix("python\n")))
        line += part.count("\n")
    assert found, document
    return found


ALL = [pytest.param(text, id=f"{document.name}:{line}") for document in DOCUMENTS for line, text in blocks(document)]


def run(arguments: list[str], folder: Path, environment: Optional[dict[str, str]] = None) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("text", ALL)
def test_each_block_runs_as_it_stands(text: str, tmp_path: Path) -> None:
    # Some of them speak of a BMC, which is here one that is simulated; and of a folder, which is another for each test.
    with hawkfish.Simulator(systems=2, tls=True, time=60.0) as bmc:
        text = text.replace("https://bmc.example", bmc.url).replace("…", bmc.password)
        text = text.replace("/path/to/ca.pem", str(bmc.ca)).replace("/tmp/lab", str(tmp_path / "lab"))
        file = tmp_path / "test_block.py"
        file.write_text(text)
        if "def test_" in text:
            assert "1 passed" in run(["-m", "pytest", "-q", "-p", "no:cacheprovider", file.name], tmp_path)
        else:
            run([file.name], tmp_path)
        assert "bmc.example" not in text


def test_the_inventory_asks_all_services_and_tells_which_did_not_answer(tmp_path: Path) -> None:
    with hawkfish.Simulator(systems=2, tls=True) as one, hawkfish.Simulator(systems=3) as other:
        environment = {"HAWKFISH_PASSWORD": one.password, "HAWKFISH_CA": str(one.ca)}
        shown = run([str(EXAMPLES / "inventory.py"), one.url, other.url], tmp_path, environment)
        assert [line.split("\t")[:3] for line in shown.splitlines()].count([other.url, "sim-00003", "Off"]) == 1
        assert len(shown.splitlines()) == 5
        gone = [sys.executable, str(EXAMPLES / "inventory.py"), other.url, "http://127.0.0.1:1"]
        done = subprocess.run(gone, env={**os.environ, **environment}, capture_output=True, text=True, timeout=120)
        assert done.returncode == 1 and len(done.stdout.splitlines()) == 3 and "127.0.0.1:1" in done.stderr


def test_the_example_of_a_test_passes(tmp_path: Path) -> None:
    command = ["-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={tmp_path}", str(EXAMPLES / "test_boot.py")]
    assert "2 passed" in run(command, tmp_path)


def test_the_embedded_server_finds_again_what_it_kept(tmp_path: Path) -> None:
    command = [str(EXAMPLES / "embedded.py"), str(tmp_path / "lab")]
    first = run(command, tmp_path)
    assert first.count(" tells ") >= 2 and " is On" not in first, first
    second = run(command, tmp_path)
    assert second.count(" is On") == 2 and " tells " not in second, second
