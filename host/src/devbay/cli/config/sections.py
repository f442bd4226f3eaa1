"""The types of installed backends' sections: loaded where somebody needs them, each backend by itself."""

import asyncio
from collections.abc import Collection, Mapping

from devbay import plugins
from devbay.plugins import Installed, Rejected
from devbay.settings import DeadlineSection


def load(installed: Mapping[str, Installed], names: Collection[str]) -> tuple[dict[str, type], list[Rejected]]:
    """Return the types of these backends' sections, and the backends that cannot tell theirs."""
    wanted = [one for name, one in installed.items() if name in names]
    loaded = asyncio.run(_load(wanted))
    types = {one.name: one.settings_type for one in loaded if not isinstance(one, Rejected)}
    return types, [one for one in loaded if isinstance(one, Rejected)]


async def _load(wanted: Collection[Installed]) -> list[plugins.Backend | Rejected]:
    return await asyncio.gather(*(plugins.load(one, DeadlineSection().load) for one in wanted))
