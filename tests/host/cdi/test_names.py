"""CDI names: legal for whatever Kubernetes and the contract accept, and never the same for two things (P18)."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from devbay.cdi import names
from devbay.simulator import cdi as reader
from tests.host.cdi.parts import IDS, PRINTABLE, RESOURCES

LONGEST = f"{'a' * 60}.{'b' * 60}.{'c' * 60}.{'d' * 60}/{'t' * 63}"


@pytest.mark.parametrize(
    ("resource", "kind"),
    [
        ("nvidia.com/gpu", "devbay.nvidia.com/gpu"),
        ("example.com/custom-accelerator", "devbay.example.com/custom-accelerator"),
        ("intel.com/VF_a-1", "devbay.intel.com/VF_a-1"),
    ],
)
def test_a_kind_is_the_resource_with_a_vendor_of_our_own(resource: str, kind: str) -> None:
    """P18: whoever knows the resource knows the kind, and no vendor's tool has it."""
    assert names.kind_of(resource) == kind


@pytest.mark.parametrize("kind", ["gpu.shared", "a", "7", "1g.5gb", "1" * 63, "x-0123abcd", "t." + "t" * 61])
def test_a_kind_that_no_old_runtime_would_take_is_replaced(kind: str) -> None:
    """P18: a class has no dot, two characters or more and a letter first, whatever the resource; and 63 at most."""
    made = names.kind_of(f"example.com/{kind}").partition("/")[2]

    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*-[0-9a-f]{8}", made)
    assert len(made) <= 63


@given(RESOURCES, IDS)
@example(LONGEST, "a")
@example("0.0/0", "-")
@example("a/b", ":")
def test_every_name_is_legal(resource: str, device_id: str) -> None:
    """P18: what Kubernetes and the contract accept becomes a name, a file and an annotation that runtimes accept."""
    name = names.qualified(resource, device_id)
    key = names.annotation_key(resource)

    assert str(reader.parse_name(name)) == name
    assert str(names.parse(name)) == name
    vendor, class_ = names.kind_of(resource).split("/")
    assert (len(vendor) <= 253, len(class_) <= 63, "." in class_) == (True, True, False)
    assert len(names.file_name(names.kind_of(resource))) <= 255
    assert names.is_own_file(names.file_name(names.kind_of(resource)))
    assert re.fullmatch(r"cdi\.k8s\.io/[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?", key)
    assert reader.requested([], {key: f"{name},{name}"}) == (name,)


@given(IDS | st.text("a-._:/0f", min_size=1, max_size=12), IDS | st.text("a-._:/0f", min_size=1, max_size=12))
def test_two_devices_never_have_one_name(a: str, b: str) -> None:
    """P18: different ids are different names, also where characters had to be replaced."""
    assert (names.device_name(a) == names.device_name(b)) == (a == b)


@given(RESOURCES, RESOURCES)
@example("a.b-c/dd", "a.b/c-dd")
@example("a.b/gpu.shared", "a.b/gpu-shared")
def test_two_resources_never_share_a_kind_a_file_or_an_annotation(a: str, b: str) -> None:
    """P18: different resources have different kinds, files, and annotations: none overwrites another's."""
    ways = (names.kind_of, lambda r: names.file_name(names.kind_of(r)), names.annotation_key)

    assert [way(a) == way(b) for way in ways] == [a == b] * 3


def test_what_looks_replaced_is_replaced() -> None:
    """P18: no device can be called by what another one's replaced name would be."""
    replaced = names.device_name("slot/3")

    assert names.device_name(replaced) not in (replaced, names.device_name("slot/3"))
    kind = names.kind_of("a.b/gpu.shared").partition("/")[2]
    assert names.kind_of(f"a.b/{kind}") != names.kind_of("a.b/gpu.shared")


@given(IDS)
def test_no_device_is_called_like_a_hook(device_id: str) -> None:
    """P18: entries of hooks have names that no device can have."""
    assert not names.device_name(device_id).startswith(names.HOOK)
    assert reader.parse_name(f"devbay.a/b2={names.hook_name(b'')}").name == names.hook_name(b"")


@given(st.text(f"{PRINTABLE} ,é\n", max_size=30) | st.from_regex(r"[a-z.-]{0,4}/[a-z.-]{0,4}=[a-z:-]{0,4}"))
def test_a_name_is_read_as_runtimes_read_it(text: str) -> None:
    """P18: what is a full name here is one to a runtime, and nothing else."""
    try:
        expected = str(reader.parse_name(text))
    except reader.InvalidName:
        expected = None

    assert (str(names.parse(text)) if names.parse(text) else None) == expected


@pytest.mark.parametrize("name", ["devbay.json", "nvidia.com-gpu.json", "devbay.a_b.yaml", ".devbay.a_b.json"])
def test_files_of_others_are_not_ours(name: str) -> None:
    """P19: only a JSON file with a vendor of ours is touched."""
    assert not names.is_own_file(name)


def test_temporary_files_are_known_and_not_read() -> None:
    """P19: what is not finished is called as no runtime reads it, and is known as ours."""
    assert names.is_own_temporary(names.temporary_name("0a"))
    assert not names.is_own_temporary("spec.1234.tmp")
    assert not names.temporary_name("0a").endswith((".json", ".yaml"))
