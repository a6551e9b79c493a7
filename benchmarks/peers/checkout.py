"""Import a peer's modules from a checkout without what they import but do not need here."""

import importlib
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from unittest.mock import MagicMock


def import_from(checkout: Path, module: str, *, unused: tuple[str, ...] = ()) -> ModuleType:
    """Import `module` from the folder `checkout`.

    Args:
        checkout: Root of the peer's source tree.
        module: Dotted name inside it.
        unused: Modules for plots, logs or data sets that the peer imports on the way. Those not
            installed are replaced while the import runs, and taken out again so that no library
            mistakes them for the real ones.
    """
    if not checkout.is_dir():
        raise FileNotFoundError(f"no checkout at {checkout}: give the peer's source folder")
    if str(checkout) not in sys.path:
        sys.path.insert(0, str(checkout))
    absent = [name for name in unused if name not in sys.modules and not _installed(name)]
    sys.modules.update({name: MagicMock(name=name) for name in absent})
    try:
        return importlib.import_module(module)
    finally:
        for name in absent:
            del sys.modules[name]


def _installed(name: str) -> bool:
    # torch ships its tensorboard module, which fails unless the tensorboard package is there too.
    return (
        find_spec("tensorboard" if name.endswith("tensorboard") else name.split(".")[0]) is not None
    )
