"""Download of published files into the user's cache, checked by their published checksums."""

from collections.abc import Mapping
from pathlib import Path

from isingeq.errors import DataError


def download(name: str, *, files: Mapping[str, str], mirrors: tuple[str, ...], remedy: str) -> Path:
    """Fetch files that are not in the cache yet, or no longer match their checksum.

    Args:
        name: of the data set; its folder in the cache.
        files: MD5 of each file.
        mirrors: addresses ending in a slash, tried in turn for each file.
        remedy: what to do where no mirror can be reached.

    Returns:
        The folder that now holds all files.

    Raises:
        DataError: a file that no mirror gives, or the cache cannot be written.
    """
    # Imported here: most data sets never need the network.
    import pooch

    pooch.get_logger().setLevel("WARNING")  # what it says by itself would break --quiet
    folder = Path(pooch.os_cache("isingeq")) / name
    for file, md5 in files.items():
        failures: list[Exception] = []
        for mirror in mirrors:
            try:
                pooch.retrieve(mirror + file, known_hash=f"md5:{md5}", fname=file, path=folder)
                break
            # Network and disk errors are OSError; a wrong checksum is ValueError.
            except (OSError, ValueError) as error:
                failures.append(error)
        else:
            reasons = ", ".join(
                f"{mirror}: {type(error).__name__}"
                for mirror, error in zip(mirrors, failures, strict=True)
            )
            raise DataError(
                f"{name} was not found and {file} cannot be downloaded to {folder} ({reasons}): "
                f"{remedy}"
            ) from failures[-1]
    return folder
