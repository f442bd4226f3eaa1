"""What a reader of any file here can rely on."""

import ast
import io
import re
import subprocess
import tokenize
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.house.workspace import ROOT

GENERATED = re.compile(r"_pb2(_grpc)?\.pyi?$")
SILENCED = re.compile(r"#\s*(noqa|type:\s*ignore|pragma|fmt:|mypy:|ruff:)")
REASONED = re.compile(r"# (noqa: [A-Z\d, ]+ - \w|type: ignore\[[a-z, -]+\]\s+# \w|(pragma|fmt|mypy|ruff): [\w ]+ - \w)")
PACKAGE_INDEX = re.compile(r"https?://[^\s\"'`<>)]*(pypi|pythonhosted|/simple\b|npmjs|registry\.|crates\.io|debian)")
LOCK_FILES = {"uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "package-lock.json", "yarn.lock"}
FEWEST_WORDS = 4


def files() -> list[Path]:
    """Return the files of the tree: those that git knows or would ask about, or all if this is no checkout."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return [path for name in done.stdout.split("\0") if name and (path := ROOT / name).is_file()]
    left_out = re.compile(r"(^|/)(\.venv|\.git|\.[a-z_]+_cache|\.hypothesis|build|dist|__pycache__)/")
    return [path for path in ROOT.rglob("*") if path.is_file() and not left_out.search(f"{path.relative_to(ROOT)}")]


def complaints(check: Callable[[str], Iterator[str]], paths: list[Path]) -> list[str]:
    """Return what a check says of each of these files, with its name."""
    return [
        f"{path.relative_to(ROOT)}: {complaint}"
        for path in paths
        for complaint in check(path.read_text(encoding="utf-8"))
    ]


SOURCES = [path for path in files() if path.suffix == ".py" and not GENERATED.search(path.name)]
TESTS = [path for path in SOURCES if path.name.startswith("test_")]


def uncharted(text: str) -> Iterator[str]:
    """Yield a complaint if a module does not open by saying what belongs in it."""
    if text.strip() and len((ast.get_docstring(ast.parse(text)) or "").split()) < FEWEST_WORDS:
        yield "no docstring that says what belongs here"


def unpromising(text: str) -> Iterator[str]:
    """Yield a complaint for each test that does not state its promise as a sentence."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            promise = ast.get_docstring(node) or ""
            if len(promise.split()) < FEWEST_WORDS or promise[-1] not in ".:`":
                yield f"line {node.lineno}: {node.name} states no promise"


def unreasoned(text: str) -> Iterator[str]:
    """Yield a complaint for each silenced check without its reason beside it."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and SILENCED.match(token.string) and not REASONED.match(token.string):
            yield f"line {token.start[0]}: no reason beside {token.string}"


def patched(text: str) -> Iterator[str]:
    """Yield a complaint for each place where a test puts something else in place of the code it is about."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute) and node.attr in {"setattr", "delattr"}:
            yield f"line {node.lineno}: patches; hand in a fake instead"


def hosted(text: str) -> Iterator[str]:
    """Yield a complaint for each line that names a host to download packages from."""
    for number, line in enumerate(text.splitlines(), 1):
        if PACKAGE_INDEX.search(line):
            yield f"line {number}: names a download host"


def unexplained(text: str) -> Iterator[str]:
    """Yield a complaint for each rule of ruff that the root file switches off without saying why."""
    lint = tomllib.loads(text)["tool"]["ruff"]["lint"]
    codes = {*lint["ignore"], *(code for codes in lint["per-file-ignores"].values() for code in codes)}
    for code in sorted(codes):
        if not re.search(rf'^\s+"{code}",\s+# \S', text, re.MULTILINE):
            yield f"{code} is switched off without a reason"


def test_every_module_opens_with_its_charter() -> None:
    """Whoever opens a file reads first what belongs there."""
    assert complaints(uncharted, SOURCES) == []


def test_every_test_states_its_promise() -> None:
    """Reading the docstrings of the tests is reading what holds."""
    assert complaints(unpromising, TESTS) == []


def test_every_silenced_check_has_its_reason() -> None:
    """Neither ruff nor mypy is told to look away without a word why, in the code or in the settings."""
    assert complaints(unreasoned, SOURCES) == []
    assert complaints(unexplained, [ROOT / "pyproject.toml"]) == []


def test_no_test_patches() -> None:
    """Tests hand fakes in; none replaces a part of what it tests."""
    assert complaints(patched, [path for path in SOURCES if path.is_relative_to(ROOT / "tests")]) == []


def test_no_file_names_a_download_host() -> None:
    """Where packages come from is the business of the machine; versions and hashes are ours, in constraints.txt."""
    texts = [path for path in files() if path.suffix not in {".png", ".ico", ".whl", ".gz"}]

    assert complaints(hosted, texts) == []
    assert {path.name for path in texts} & LOCK_FILES == set()


def test_the_test_tree_is_made_of_packages() -> None:
    """Equal file names in two folders of tests never meet: every folder with Python files in it is a package."""
    folders = {path.parent for path in SOURCES if path.is_relative_to(ROOT / "tests")}
    distributions = {path.parent for path in files() if path.name == "pyproject.toml"}

    assert [folder for folder in folders - distributions if not (folder / "__init__.py").is_file()] == []


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (uncharted, "import os\n"),
        (uncharted, '"""A module."""\n\nimport os\n'),
        (unpromising, "def test_it():\n    assert True\n"),
        (unpromising, 'async def test_it():\n    """It works as it should"""\n'),
        (unreasoned, "import os  # noqa\n"),
        (unreasoned, "import os  # noqa: F401\n"),
        (unreasoned, "x: int = ''  # type: ignore[assignment]\n"),
        (patched, "def test_it(monkeypatch):\n    monkeypatch.setattr(time, 'sleep', None)\n"),
        (hosted, "see https" + "://example.com/simple/widget/\n"),
        (unexplained, '[tool.ruff.lint]\nignore = [\n  "ANN401",\n]\nper-file-ignores = {}\n'),
    ],
)
def test_bad_manners_are_noticed(check: Callable[[str], Iterator[str]], text: str) -> None:
    """Each of these checks can fail: it finds one fault in a text with one."""
    assert len(list(check(text))) == 1
