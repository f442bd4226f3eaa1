"""CDI files as tests write them: a device called ``a`` with one variable, and whatever a test changes in it."""

import json
from pathlib import Path
from typing import Any

KIND = "example.com/widget"
NAME = f"{KIND}=a"


def device(name: str = "a", **edits: Any) -> dict[str, Any]:
    """Return a device; without edits it sets one variable to its name."""
    return {"name": name, "containerEdits": edits or {"env": [f"DEVICE_{name.upper()}={name}"]}}


def document(*devices: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return a file's content with these devices, one if none is given; `fields` replace those of the file."""
    return {"cdiVersion": "1.1.0", "kind": KIND, "devices": list(devices) or [device()], **fields}


def write(path: Path, *devices: dict[str, Any], **fields: Any) -> Path:
    """Write a file with these devices and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document(*devices, **fields)), encoding="utf-8")
    return path
