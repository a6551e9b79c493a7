"""Download: the right addresses and checksums, the next mirror, one clear error; no network."""

from pathlib import Path

import numpy as np
import pytest
import requests

from isingeq.errors import DataError
from isingeq.tasks import load


class Server:
    """Stands in for pooch.retrieve: serves a folder, and writes down what it was asked for."""

    def __init__(self, folder, *, down=()):
        self.folder = folder
        self.down = down
        self.asked = []

    def __call__(self, url, known_hash, fname, path):
        self.asked.append((url, known_hash))
        if any(url.startswith(mirror) for mirror in self.down):
            raise requests.exceptions.ConnectionError("no route")
        Path(path).mkdir(parents=True, exist_ok=True)
        target = Path(path) / fname
        target.write_bytes((self.folder / fname).read_bytes())
        return str(target)


def test_mnist_is_fetched_file_by_file_with_published_checksums(
    tmp_path, monkeypatch, mnist_like, write
):
    write["idx"](tmp_path / "served", mnist_like, compress=True)
    server = Server(tmp_path / "served")
    monkeypatch.setattr("pooch.retrieve", server)
    data = load("mnist", validation_size=0)
    np.testing.assert_array_equal(data.y_train, mnist_like["y_train"])
    assert [(url.rsplit("/", 1)[1], known_hash) for url, known_hash in server.asked] == [
        ("train-images-idx3-ubyte.gz", "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        ("train-labels-idx1-ubyte.gz", "md5:d53e105ee54ea40749a09fcbcd1e9432"),
        ("t10k-images-idx3-ubyte.gz", "md5:9fb629c4189551a2d022fa330f9573f3"),
        ("t10k-labels-idx1-ubyte.gz", "md5:ec29112dd5afa0611ce80d1b7f02629c"),
    ]
    assert str(tmp_path / "cache") in data.source


def test_fashion_mnist_lies_apart_from_mnist_in_the_cache(tmp_path, monkeypatch, mnist_like, write):
    write["idx"](tmp_path / "served", mnist_like, compress=True)
    monkeypatch.setattr("pooch.retrieve", Server(tmp_path / "served"))
    assert load("mnist").source.split(" in ")[1] != load("fashion-mnist").source.split(" in ")[1]


def test_cifar_comes_as_its_archive(tmp_path, monkeypatch, cifar_like, write):
    write["archive"](tmp_path / "served", cifar_like)
    server = Server(tmp_path / "served")
    monkeypatch.setattr("pooch.retrieve", server)
    data = load("cifar10", validation_size=0)
    np.testing.assert_array_equal(
        data.x_test, cifar_like["x_test"].reshape(20, -1) / np.float32(255)
    )
    assert [known_hash for _, known_hash in server.asked] == [
        "md5:c32a1d4ab5d03f1284b67883e8d87530"
    ]


def test_the_next_mirror_is_tried(tmp_path, monkeypatch, mnist_like, write):
    write["idx"](tmp_path / "served", mnist_like, compress=True)
    server = Server(tmp_path / "served", down=["https://ossci-datasets"])
    monkeypatch.setattr("pooch.retrieve", server)
    assert len(load("mnist").y_test) == 20
    assert len(server.asked) == 8


def test_found_files_need_no_network(tmp_path, mnist_like):
    np.savez(tmp_path / "mnist.npz", **mnist_like)
    assert len(load("mnist", data_dir=tmp_path).y_test) == 20


def test_a_folder_without_the_set_leads_to_the_download(tmp_path, monkeypatch, mnist_like, write):
    write["idx"](tmp_path / "served", mnist_like, compress=True)
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("ISINGEQ_DATA", str(tmp_path / "data"))
    server = Server(tmp_path / "served")
    monkeypatch.setattr("pooch.retrieve", server)
    assert len(load("mnist").y_test) == 20
    assert len(server.asked) == 4


@pytest.mark.parametrize(
    "failure",
    [
        requests.exceptions.ConnectionError("several\nlines"),
        requests.exceptions.HTTPError("404"),
        requests.exceptions.Timeout(),
        ValueError("MD5 hash of downloaded file does not match"),
        PermissionError(13, "Permission denied"),
    ],
)
@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("mnist", ("mnist.npz", "train-images-idx3-ubyte", "t10k-labels-idx1-ubyte")),
        ("fashion-mnist", ("fashion_mnist.npz", "subfolder fashion-mnist")),
        ("cifar10", ("cifar10.npz", "data_batch_1.bin", "test_batch.bin")),
    ],
)
def test_without_network_one_line_says_what_to_put_where(name, files, failure, monkeypatch):
    def fail(*args, **kwargs):
        raise failure

    monkeypatch.setattr("pooch.retrieve", fail)
    with pytest.raises(DataError, match=f"{name} was not found and") as caught:
        load(name)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert type(failure).__name__ in message
    for word in (*files, "ISINGEQ_DATA"):
        assert word in message
    assert caught.value.__cause__ is failure
