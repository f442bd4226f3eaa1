"""Two hundred configurations with one mistake each: each is found, once, with its place and a remedy (P20)."""

from collections.abc import Iterator

import msgspec
import pytest

from devbay.api import BackendSettings
from devbay.cli.config.check import problems
from devbay.errors import ConfigError
from devbay.misfits import SECTION_TYPES
from devbay.settings import Settings
from devbay.sources import parse

FILE = "config.yaml"


class Where(BackendSettings, frozen=True):
    """A section within a backend's."""

    root: str = "/"
    depth: int = 1


class Toaster(BackendSettings, frozen=True):
    """A backend's section."""

    slots: int = 2
    label: str = ""
    where: Where = Where()


KNOWN = {"toaster": Toaster, "my-kettle": Where}

Mistake = tuple[str, str, str]
"""A text with one mistake, how the place is called, and what is said that helps."""


def found(text: str, node: str | None = None) -> list[str]:
    """Return everything that is said against a text."""
    try:
        sources, misshapen = parse(text, FILE)
    except ConfigError as error:
        return [str(error)]
    return [*misshapen, *problems(sources, KNOWN, list(KNOWN), node)]


def _wrong(info: msgspec.inspect.Type) -> Iterator[tuple[str, str]]:
    """Yield values that a key does not take, each with what is said that helps."""
    while isinstance(info, msgspec.inspect.Metadata):
        info = info.type
    match info:
        case msgspec.inspect.BoolType():
            yield "maybe", "expected `bool`, got `str`"
        case msgspec.inspect.IntType() | msgspec.inspect.FloatType():
            yield "'1'", f"expected `{'int' if isinstance(info, msgspec.inspect.IntType) else 'float'}`, got `str`"
            yield "-1", "expected `"
        case msgspec.inspect.StrType():
            yield "[a]", "expected `str`, got `array`"
        case msgspec.inspect.LiteralType():
            yield "neither", f"known: {', '.join(sorted(map(str, info.values)))}"


def _of_the_types() -> Iterator[Mistake]:
    """Yield mistakes in every key of the host's sections: misspelled, and with values that it does not take."""
    for section in msgspec.inspect.type_info(Settings).fields:  # type: ignore[attr-defined]  # a struct's has them
        name = section.encode_name
        if not isinstance(section.type, SECTION_TYPES):
            continue
        yield f"{name}: 5\n", f"{name} = 5: ", "expected `object`"
        yield f"{name[:-1]}: {{}}\n", f"unknown section '{name[:-1]}'", f"did you mean '{name}'?"
        for field in section.type.fields:
            key = field.encode_name
            yield f"{name}: {{{key}x: 1}}\n", f"{name}.{key}x: ", f"did you mean '{key}'?"
            for value, remedy in _wrong(field.type):
                yield f"{name}: {{{key}: {value}}}\n", f"{name}.{key} = ", remedy
            yield f"nodes:\n- match: gpu-*\n  {name}: {{{key}x: 1}}\n", f"nodes.0.{name}.{key}x: ", f"'{key}'"


SHARED = "resources: {a.b/c: {sharing: %s}}"
SLICED = "sharing: {timeSlicing: {resources: [%s]}}"

WRITTEN: list[Mistake] = [
    # YAML itself.
    ("toaster: {slots: 1", "line 1, column 19", "expected ',' or '}'"),
    ("toaster:\n\tslots: 1", "line 2, column 1", "found character '\\t'"),
    ("toaster: {slots: 1}\ntoaster: {}", "line 2, column 1", "the key 'toaster' stands here twice"),
    ("toaster:\n  slots: 1\n  slots: 2", "line 3, column 3", "the key 'slots' stands here twice"),
    ("a: 1\n---\nb: 1", "line 2, column 1", "but found another document"),
    ("- toaster", "", "expected a mapping of sections"),
    ("toaster", "", "expected a mapping of sections"),
    ("toaster: *nobody", "line 1, column 10", "found undefined alias"),
    ("toaster: !kettle {}", "line 1, column 10", "could not determine a constructor"),
    ("toaster: 'open", "line 1", "found unexpected end of stream"),
    ("toaster: {label: 2024-99-99}", "", "month must be in 1..12"),
    ("? [a, b]\n: 1", "line 1, column 3", "cannot be a key"),
    # Sections and keys.
    ("toster: {}", "unknown section 'toster'", "did you mean 'toaster'?"),
    ("my_kettle: {}", "unknown section 'my_kettle'", "did you mean 'my-kettle'?"),
    ("grill: {}", "unknown section 'grill'", "pip install devbay-grill"),
    ("Toaster: {}", "unknown section 'Toaster'", "did you mean 'toaster'?"),
    ("node_name: x", "unknown section 'node_name'", "did you mean 'node'?"),
    ("1: {}", "unknown section 1", "known: "),
    ("null: {}", "unknown section None", "known: "),
    ("true: {}", "unknown section True", "known: "),
    ("overlays: []", "unknown section 'overlays'", "known: backends, "),
    ("toaster: {solts: 1}", "toaster.solts", "did you mean 'slots'?"),
    ("toaster: {where: {roots: /}}", "toaster.where.roots", "did you mean 'root'?"),
    ("toaster: {colour: red}", "toaster.colour", "known: label, slots, where"),
    ("my-kettle: {dept: 1}", "my-kettle.dept", "did you mean 'depth'?"),
    # Values.
    ("toaster: 4", "toaster: ", "expected a mapping, not 4"),
    ("toaster: [slots]", "toaster: ", "expected a mapping"),
    ("toaster: {slots: two}", "toaster.slots = 'two'", "expected `int`, got `str`"),
    ("toaster: {slots: 1.5}", "toaster.slots = 1.5", "expected `int`, got `float`"),
    ("toaster: {slots: true}", "toaster.slots = True", "expected `int`, got `bool`"),
    ("toaster: {slots: }", "toaster.slots = None", "expected `int`, got `null`"),
    ("toaster: {slots: [1]}", "toaster.slots = [1]", "expected `int`, got `array`"),
    ("toaster: {label: 5}", "toaster.label = 5", "expected `str`, got `int`"),
    ("toaster: {label: yes}", "toaster.label = True", "expected `str`, got `bool`"),
    ("toaster: {label: 2024-01-01}", "toaster.label = datetime.date", "expected `str`"),
    ("toaster: {where: /}", "toaster.where = '/'", "expected `object`, got `str`"),
    ("toaster: {where: {depth: deep}}", "toaster.where.depth = 'deep'", "expected `int`"),
    ("health: {scan_interval: .nan}", "health.scan_interval = nan", "expected `float` > 0.0"),
    ("health: {scan_interval: 10s}", "health.scan_interval = '10s'", "expected `float`"),
    ("health: {flap_limit: 0}", "health.flap_limit = 0", "expected `int` >= 1"),
    ("web: {listen: nowhere}", "web = ", "write it as 0.0.0.0:8080"),
    ("web: {listen: ':99999'}", "web = ", "write it as 0.0.0.0:8080"),
    ("events: sometimes", "events = 'sometimes'", "expected `bool`"),
    # Which backends.
    ("backends: {a: 5}", "backends.a = 5", "expected `str | array`"),
    ("backends: 5", "backends = 5", "expected `str | object | array`"),
    ("backends: tosater", "backends: no backend 'tosater'", "Did you mean 'toaster'?"),
    ("backends: [grill]", "backends: no backend 'grill'", "pip install devbay-grill"),
    ("backends: {'x-*': toastr}", "backends: no backend 'toastr'", "Did you mean 'toaster'?"),
    (
        "backends: 'a: toaster; my-kettle'",
        "the line 'my-kettle' has no node pattern",
        "write 'node-pattern: my-kettle'",
    ),
    ("backends: ': toaster'", "the line for toaster", "has an empty node pattern"),
    ("backends: toaster my-kettle", "'toaster my-kettle' is one name with a space", "separate names with commas"),
    # Resources.
    ("resources: {gpu: {}}", "resources.gpu", "it must read vendor-domain/type"),
    ("resources: {a.b/c/d: {}}", "resources.a.b/c/d", "it must read vendor-domain/type"),
    ("resources: []", "resources = []", "expected `object`, got `array`"),
    ("resources: {a.b/c: pack}", "resources.a.b/c = 'pack'", "expected `object`"),
    ("resources: {a.b/c: {polcy: pack}}", "resources.a.b/c.polcy", "did you mean 'policy'?"),
    ("resources: {a.b/c: {policy: tight}}", "resources.a.b/c.policy", "known: distinct, pack, spread, topology"),
    ("resources: {a.b/c: {delivery: nri}}", "resources.a.b/c.delivery", "known: cdi, cdi-annotations, direct"),
    (SHARED % "2", "resources.a.b/c.sharing = 2", "expected `object | null`"),
    (SHARED % "{}", "resources.a.b/c.sharing", "must be 2 or more"),
    (SHARED % "{replicas: 1}", "resources.a.b/c.sharing", "must be 2 or more"),
    (SHARED % "{replicas: 0}", "resources.a.b/c.sharing.replicas = 0", "expected `int` >= 1"),
    (SHARED % "{replicas: 5000}", "resources.a.b/c.sharing.replicas = 5000", "expected `int` <= 4096"),
    (SHARED % "{replicas: two}", "resources.a.b/c.sharing.replicas = 'two'", "expected `int`"),
    (SHARED % "{replica: 2}", "resources.a.b/c.sharing.replica", "did you mean 'replicas'?"),
    (SHARED % "{replicas: 2, rename: x}", "resources.a.b/c.sharing", "rename: illegal resource name 'x'"),
    (SHARED % "{replicas: 2, rename: 1}", "resources.a.b/c.sharing.rename = 1", "expected `bool | str`"),
    (SHARED % "{replicas: 2, one_per_request: 1}", "sharing.one_per_request = 1", "expected `bool`"),
    (SHARED % "{devices: {}}", "sharing.devices = {}", "expected `array`"),
    (SHARED % "{devices: [{replicas: 2}]}", "sharing.devices.0", "missing required field `select`"),
    (SHARED % "{devices: [{select: {id: a}}]}", "sharing.devices.0", "missing required field `replicas`"),
    (SHARED % "{devices: [{select: {}, replicas: 2}]}", "sharing.devices.0", "a selector needs at least one key"),
    (SHARED % "{devices: [{select: {id: []}, replicas: 2}]}", "sharing.devices.0", "an empty list selects no device"),
    (SHARED % "{devices: [{select: {id: ''}, replicas: 2}]}", "sharing.devices.0", "an empty text selects no device"),
    (SHARED % "{devices: [{select: {m: '> x'}, replicas: 2}]}", "sharing.devices.0", "no number such as 40Gi"),
    (SHARED % "{devices: [{selct: {id: a}, replicas: 2}]}", "sharing.devices.0.selct", "did you mean 'select'?"),
    # NVIDIA's words.
    (SLICED % "{replicas: 2}", "sharing.timeSlicing.resources.0", "missing required field `name`"),
    (SLICED % "{name: gpu}", "sharing.timeSlicing.resources.0", "missing required field `replicas`"),
    (SLICED % "{name: gpu, replicas: 1}", "resources.0.replicas = 1", "expected `int` >= 2"),
    (SLICED % "{name: gpu, replicas: 2, devices: most}", "resources.0", "is 'all'"),
    (SLICED % "{name: gpu, replicas: 2, devices: 0}", "resources.0", "it must be 1 or more"),
    (SLICED % "{name: gpu, replicas: 2, devices: []}", "resources.0", "write 'all', a number, or indices"),
    (SLICED % "{name: gpu, replicas: 2, devices: [x]}", "resources.0", "no index such as 0 or 0:1"),
    (SLICED % "{name: gpu, replicas: 2}, {name: gpu}", "sharing.timeSlicing.resources.1", "field `replicas`"),
    ("sharing: {timeslicing: {}}", "sharing.timeslicing", "did you mean 'timeSlicing'?"),
    ("sharing: {timeSlicing: {resources: []}}", "sharing.timeSlicing.resources = []", "length >= 1"),
    ("sharing: {timeSlicing: {}}", "sharing.timeSlicing", "missing required field `resources`"),
    (
        "sharing: {timeSlicing: {renamebydefault: true, resources: [{name: gpu, replicas: 2}]}}",
        "renamebydefault",
        "'re",
    ),
    (
        SLICED % "{name: a.b/c, replicas: 2}" + "\n" + SHARED % "{replicas: 2}",
        "resources.a.b/c.sharing",
        "keep one of them",
    ),
    # Overlays.
    ("nodes: {match: a}", "nodes: ", "expected a list of overlays"),
    ("nodes: gpu-*", "nodes: ", "write '- match: gpu-*' with sections beside it"),
    ("nodes: [gpu-*]", "nodes.0: ", "expected a mapping with match and sections"),
    ("nodes: [{toaster: {}}]", "nodes.0: ", "write match: 'gpu-*'"),
    ("nodes: [{mach: a, toaster: {}}]", "nodes.0: ", "is 'mach' meant to be match?"),
    ("nodes: [{match: 5}]", "nodes.0.match: ", "put it in quotes"),
    ("nodes: [{match: }]", "nodes.0.match: ", "expected a glob of node names, not None"),
    ("nodes: [{match: ''}]", "nodes.0.match: ", "several globs are a list"),
    ("nodes: [{match: []}]", "nodes.0.match: ", "an empty list matches no node"),
    ("nodes: [{match: 'a-*, b-*'}]", "nodes.0.match: ", "several globs are a list: [a-*, b-*]"),
    ("nodes: [{match: a-*;b-*}]", "nodes.0.match: ", "several globs are a list: [a-*, b-*]"),
    ("nodes: [{match: [a, 5]}]", "nodes.0.match.1: ", "put it in quotes"),
    ("nodes: [{match: a, node: {name: b}}]", "nodes.0.node.name: ", "set NODE_NAME on the node"),
    ("nodes: [{match: a, nodes: []}]", "nodes.0.nodes: ", "write another entry of nodes"),
    ("nodes: [{match: a}, {match: b, toster: {}}]", "nodes.1.toster: ", "did you mean 'toaster'?"),
    ("nodes: [{match: a, toaster: {solts: 1}}]", "nodes.0.toaster.solts: ", "did you mean 'slots'?"),
    ("nodes: [{match: a, toaster: {slots: x}}]", "nodes.0.toaster.slots = 'x'", "expected `int`"),
    ("nodes: [{match: a, toaster: {where: {depth: x}}}]", "nodes.0.toaster.where.depth = 'x'", "expected `int`"),
    ("nodes: [{match: a, toaster: 5}]", "nodes.0.toaster: ", "expected a mapping, not 5"),
    ("nodes: [{match: a, health: {flap_limit: 0}}]", "nodes.0.health.flap_limit = 0", "expected `int` >= 1"),
    ("nodes: [{match: a, resources: {gpu: {}}}]", "nodes.0.resources.gpu", "it must read vendor-domain/type"),
    ("nodes: [{match: a, resources: {a.b/c: {policy: x}}}]", "nodes.0.resources.a.b/c.policy", "known: distinct"),
    ("nodes: [{match: a, backends: toastr}]", "nodes.0.backends: ", "Did you mean 'toaster'?"),
    ("nodes: [{match: a, grill: {}}]", "nodes.0.grill: ", "pip install devbay-grill"),
    (
        SHARED % "{replicas: 2}" + "\nnodes: [{match: a, resources: {a.b/c: {sharing: {replicas: 1}}}}]",
        "nodes.0.resources.a.b/c.sharing",
        "must be 2 or more",
    ),
]

UNPLACED = {"- toaster", "toaster", "toaster: {label: 2024-99-99}", "null: {}", "true: {}"}
"""Where it is the whole file, PyYAML does not tell, or the key reads otherwise than it is written."""

MISTAKES = [*_of_the_types(), *WRITTEN]


def test_there_are_two_hundred() -> None:
    """The table is as long as it says."""
    assert len({text for text, _, _ in MISTAKES}) >= 200


@pytest.mark.parametrize(("text", "place", "remedy"), MISTAKES, ids=[text for text, _, _ in MISTAKES])
def test_a_mistake_is_found(text: str, place: str, remedy: str) -> None:
    """P20: one mistake is one message, on one line, that names the file, the place and what would be right."""
    (said,) = found(text)

    assert said.startswith(f"{FILE}: ")
    assert place in said
    assert remedy in said
    assert "\n" not in said
    assert "line " in said or text in UNPLACED


def test_every_mistake_is_found() -> None:
    """P20: a file with many mistakes is mended in one round: all of them are told, in their sections' order."""
    text = """\
health: {scan_intervall: 1, flap_limit: 0, keep_lost: -1}
resources:
  gpu: {}
  a.b/c: {policy: x, sharing: {devices: [{select: {id: a}}, {select: {}, replicas: 2}, {select: {id: b}, replicas: 2}]}}
  card: {}
toaster: {slots: x, where: {depth: y, rot: /}}
nodes:
- match: a
  toaster: {label: 1}
- match: []
"""

    assert [said.removeprefix(f"{FILE}: ").partition(" ")[0] for said in found(text)] == [
        "nodes.1.match:",
        "health.scan_intervall:",
        "health.flap_limit",
        "health.keep_lost",
        "resources.a.b/c.policy",
        "resources.a.b/c.sharing.devices.0",
        "resources.a.b/c.sharing.devices.1",
        "resources.gpu:",
        "resources.card:",
        "toaster.where.rot:",
        "toaster.slots",
        "toaster.where.depth",
        "nodes.0.toaster.label",
    ]


@pytest.mark.parametrize("text", ["", "{}", "toaster:", "nodes:", "nodes: []", "nodes: [{match: a, toaster: }]"])
def test_nothing_said_is_no_mistake(text: str) -> None:
    """P20: sections and overlays whose content is commented out say nothing."""
    assert found(text, "a") == []


def test_what_only_fits_together() -> None:
    """P20: overlays that fit one by one may not fit together; that is found for a node that gets both."""
    text = """\
nodes:
- match: a*
  resources: {a.b/c: {sharing: {replicas: 2}}}
- match: a1
  sharing: {timeSlicing: {resources: [{name: a.b/c, replicas: 2}]}}
"""

    assert found(text) == found(text, "a2") == []
    assert len(found(text, "a1")) == 1
