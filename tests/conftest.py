import signal

import pytest

# Jobs that a shell starts in the background ignore Ctrl-C, which some tests press.
signal.signal(signal.SIGINT, signal.default_int_handler)

MODEL = "model://ref-arm192?uid=42"


def pytest_addoption(parser):
    parser.addoption(
        "--device",
        metavar="URL",
        default=None,
        help=f"device for the tests in tests/device, as in /dev/ttyACM0?baud=115200; {MODEL} if left out",
    )


def pytest_collection_modifyitems(items):
    """Give slow tests three times the time of the others: machines differ by a factor of two, and minutes by luck."""
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(scope="session", autouse=True)
def own_locks(request, tmp_path_factory):
    """Keep the locks of tests apart from each other's and the user's, but for a device that is really there."""
    if request.config.getoption("--device"):
        yield
        return
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("locks")))
        yield


@pytest.fixture(scope="session")
def device_url(request):
    """Return the URL of the device to test."""
    return request.config.getoption("--device") or MODEL
