"""Errors, each named by who must act on it.

Their text is the operator's sentence: what happened, to which thing, and what to do. `DevbayError` itself is never
raised; it is what a caller catches to tell our errors from bugs of our own.
"""


class DevbayError(Exception):
    """Base of all devbay errors. Never raised itself."""


class ConfigError(DevbayError):
    """The operator must change the configuration: a file, a variable or a flag holds what cannot be used."""


class BackendUnavailable(DevbayError):  # noqa: N818 - a normal state of a node, not an error of anyone's
    """The node lacks what a backend needs: no driver, no hardware. Normal; looked at again from time to time.

    Raised by backends from `discover`; the text says what is absent.
    """


class BackendBug(DevbayError):  # noqa: N818 - named by who must act
    """The author of a backend must act: it broke the contract. The text names the distribution and its version."""


class CallTimeout(DevbayError):  # noqa: N818 - says what happened to a call
    """A backend's call did not answer within its deadline. Whoever knows the hardware must look; the host goes on."""


class KubeletDirectoryError(DevbayError):
    """Whoever runs the node must act: the kubelet's directory is missing, not writable, or its path is too long."""


class KubernetesApiError(DevbayError):
    """Whoever runs the cluster must act: the API server is not reached, or refuses. Devices are offered all the same.

    Attributes:
        status: the server's HTTP status; 0 where there is none.
        pause: seconds that it asked to be left alone.
    """

    def __init__(self, text: str, *, status: int = 0, pause: float = 0.0) -> None:
        super().__init__(text)
        self.status = status
        self.pause = pause


class KubeletUnavailable(DevbayError):  # noqa: N818 - a normal state of a node
    """The kubelet does not answer. Nobody need act: it is waited for."""


class RegistrationRefused(DevbayError):  # noqa: N818 - says what the kubelet did
    """The kubelet answered a registration with an error; its own text is in ours. Retried ever more slowly."""


class AllocationError(DevbayError):
    """A request for devices cannot be answered. The text reaches the pod's events; leaves say why."""


class UnknownDevice(AllocationError):  # noqa: N818 - says what was asked for
    """The kubelet asked for a device that this host does not know."""


class UnhealthyDevice(AllocationError):  # noqa: N818 - says what was asked for
    """The kubelet asked for a device that has failed since its list was sent."""


class TooManyShares(AllocationError):  # noqa: N818 - says what was asked for
    """The pod's author must act: a container asked for more shares of a resource than it may have."""


class DeliveryError(AllocationError):
    """Whoever runs the node must act: a CDI specification cannot be written, so no container may start with its device.

    The text names the file or directory, the system's reason and the remedy.
    """
