"""The generated code is what the ``.proto`` files say."""

import subprocess
import sys
from pathlib import Path

from tests.house.workspace import ROOT

SOURCES = ROOT / "host/src"


def test_generating_anew_changes_nothing(tmp_path: Path) -> None:
    """`make proto` would leave every generated file as it is committed, and there are no others."""
    protos = sorted(path.relative_to(SOURCES) for path in SOURCES.glob("devbay/_proto/*.proto"))
    outputs = (f"--python_out={tmp_path}", f"--pyi_out={tmp_path}")
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", "-I.", *outputs, *protos], cwd=SOURCES, check=True)

    generated = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.rglob("*_pb2*")}
    committed = {path.name: path.read_text(encoding="utf-8") for path in SOURCES.glob("devbay/_proto/*_pb2*")}
    assert protos
    assert generated == committed
