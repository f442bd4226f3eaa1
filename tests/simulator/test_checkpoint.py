"""The checkpoint's format and checksum, on files that real kubelets wrote."""

import json
from pathlib import Path

import pytest

from devbay.simulator import checkpoint, wire
from devbay.simulator.checkpoint import Checkpoint, CorruptCheckpoint, Entry

REAL = {
    "held": '{"Data":{"PodDeviceEntries":[{"PodUID":"bf52b2cd-b611-4e79-86b1-280b283185c3","ContainerName":"check",'
    '"ResourceName":"nvidia.com/gpu","DeviceIDs":{"-1":["tegra"]},'
    '"AllocResp":"Ch8KFk5WSURJQV9WSVNJQkxFX0RFVklDRVMSBXRlZ3Jh"}],"RegisteredDevices":{"nvidia.com/gpu":["tegra"]}},'
    '"Checksum":3660592824}',
    "listed": '{"Data":{"PodDeviceEntries":null,"RegisteredDevices":{"nvidia.com/gpu":'
    '["GPU-0650a168-e770-3ea8-8ac3-8a1d419763e0"]}},"Checksum":3952659280}',
}


@pytest.mark.parametrize("text", REAL.values(), ids=REAL.keys())
def test_27_real_files_are_read_and_written_alike(text: str) -> None:
    """Behaviour 27: a real kubelet's file is read, checksum and all, and written as it was."""
    assert checkpoint.dumps(checkpoint.loads(text)) == text


def test_27_the_stored_answer_is_the_container_response() -> None:
    """Behaviour 27: what a real kubelet stored for a container reads as the plugin's answer."""
    records = checkpoint.records(checkpoint.loads(REAL["held"]), wire.stored_answer)
    record = records.of_container("bf52b2cd-b611-4e79-86b1-280b283185c3", "check")["nvidia.com/gpu"]

    assert record.ids == {"tegra"}
    assert record.answer.env == {"NVIDIA_VISIBLE_DEVICES": "tegra"}


def test_27_several_nodes_and_an_empty_answer_survive() -> None:
    """Behaviour 27: what is written is what is read again, NUMA nodes sorted or not."""
    entries = (
        Entry("u", "c", "r/s", {10: ("b",), 2: ("a", "b"), -1: ("é",)}, b""),
        Entry("u", "d", "r/s", {}, b"\x00"),
    )
    saved = Checkpoint(entries, {"r/s": (), "a/b": ("x",)})

    assert checkpoint.loads(checkpoint.dumps(saved)) == saved


@pytest.mark.parametrize("text", ["", "null", "{}", '{"Data":{},"Checksum":0}', REAL["held"].replace("tegra", "other")])
def test_29_what_is_no_checkpoint_is_corrupt(text: str) -> None:
    """Behaviour 29: whatever does not parse or does not add up is one kind of error."""
    with pytest.raises(CorruptCheckpoint):
        checkpoint.loads(text)


def test_29_no_file_is_no_checkpoint(directory: Path) -> None:
    """Behaviour 29: a missing file is normal; one that is there is read."""
    assert checkpoint.read(directory) is None
    checkpoint.write(directory, checkpoint.loads(REAL["listed"]))
    assert (directory / checkpoint.FILE).read_text() == REAL["listed"]
    assert json.loads(REAL["listed"])["Checksum"] == checkpoint.checksum(checkpoint.loads(REAL["listed"]))
    assert [path.name for path in directory.iterdir()] == [checkpoint.FILE]
