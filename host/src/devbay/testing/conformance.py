"""`BackendConformance`, the class that a backend's tests subclass: the contract of a backend as cases.

Each case is a sentence of `devbay.hookspecs`. A case that fails says what the contract asks and what it saw; one that
needs something that the rig does not give is skipped and says what. The cases are in `devbay.testing.cases`, how a
backend is asked in `devbay.testing.trial`.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from devbay.testing import overrides
from devbay.testing.cases.finding import Finding
from devbay.testing.cases.giving import Giving
from devbay.testing.cases.living import Living
from devbay.testing.cases.loading import Loading
from devbay.testing.cases.watching import Watching
from devbay.testing.elsewhere import Elsewhere, Unreachable, live
from devbay.testing.rig import Rig
from devbay.testing.trial import Trial, violation

_ELSEWHERE = pytest.StashKey[Elsewhere]()


class BackendConformance(Loading, Finding, Watching, Giving, Living):
    """Subclass this as ``class TestWidget(BackendConformance)``, and give it a fixture ``rig`` that returns a `Rig`.

    Every ``test_…`` here is a case. A subclass that overrides one marks what it puts there with
    ``@pytest.mark.xfail(reason="…")`` or ``@pytest.mark.skip(reason="…")``; without a reason `test_no_case_is_left_out`
    fails, and that one cannot be overridden at all.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.test_no_case_is_left_out is not BackendConformance.test_no_case_is_left_out:
            raise TypeError(f"{cls.__name__} overrides test_no_case_is_left_out, which guards the other cases")

    @pytest.fixture
    def rig(self) -> Rig:
        """Return the backend and its hardware. A subclass overrides this."""
        return pytest.fail(f"{type(self).__name__} needs a fixture `rig` that returns a devbay.testing.Rig")

    @pytest.fixture
    def simulated_kubelet_options(
        self, simulated_kubelet_options: Mapping[str, Any], kubelet_directory: Path
    ) -> Mapping[str, Any]:
        """Give the options that hold outside this class; the kubelet says who holds what besides."""
        return {"pod_resources_socket": kubelet_directory / "pod-resources/kubelet.sock"} | dict(
            simulated_kubelet_options
        )

    @pytest.fixture
    def trial(self, rig: Rig) -> Iterator[Trial]:
        """Give the rig's backend, loaded."""
        with Trial(rig) as trial:
            yield trial

    @pytest.fixture
    def elsewhere(self, rig: Rig, request: pytest.FixtureRequest) -> Elsewhere:
        """Give what the backend did in another process, once for all cases of a class."""
        stash = request.node.parent.stash
        if _ELSEWHERE not in stash:
            try:
                stash[_ELSEWHERE] = live(rig)
            except Unreachable as reason:
                pytest.skip(str(reason))
        report: Elsewhere = stash[_ELSEWHERE]
        return report

    def test_no_case_is_left_out(self) -> None:
        """Whoever reads that a backend passes the kit knows which cases it does not, and why."""
        if complaints := list(overrides.cases_left_out(BackendConformance, type(self))):
            violation("; ".join(complaints))
