"""MNIST-like sets and CIFAR-10 from files: every form, every fault, no network."""

import numpy as np
import pytest

from isingeq.errors import DataError
from isingeq.tasks import imagesets, load

FORMS = ["npz", "idx", "idx.gz", "idx with dots", "torchvision's folder"]


def _write_mnist(form, root, arrays, write):
    if form == "npz":
        np.savez_compressed(root / "mnist.npz", **arrays)
    elif form == "idx":
        write["idx"](root, arrays)
    elif form == "idx.gz":
        write["idx"](root / "mnist", arrays, compress=True)
    elif form == "idx with dots":
        write["idx"](root / "mnist", arrays, dot=".")
    else:
        write["idx"](root / "MNIST" / "raw", arrays)


def _write_cifar(form, root, arrays, write):
    if form == "npz":
        np.savez(root / "cifar10.npz", **arrays)
    elif form == "batches":
        write["cifar"](root, arrays)
    elif form == "batches in their folder":
        write["cifar"](root / "cifar-10-batches-bin", arrays)
    else:
        write["archive"](root, arrays)


def _check_against(data, arrays, shape):
    """Every number is what was written, over 255, in the order written."""
    assert data.shape == shape
    for part in ("train", "test"):
        x = arrays[f"x_{part}"].reshape(len(arrays[f"x_{part}"]), -1)
        np.testing.assert_array_equal(getattr(data, f"x_{part}"), x / np.float32(255))
        np.testing.assert_array_equal(getattr(data, f"y_{part}"), arrays[f"y_{part}"])


@pytest.mark.parametrize("form", FORMS)
def test_mnist_from_every_form(form, tmp_path, monkeypatch, mnist_like, write):
    _write_mnist(form, tmp_path, mnist_like, write)
    monkeypatch.setenv("ISINGEQ_DATA", str(tmp_path))
    data = load("mnist", validation_size=0)
    _check_against(data, mnist_like, (28, 28))
    assert str(tmp_path) in data.source


@pytest.mark.parametrize("form", ["npz", "batches", "batches in their folder", "archive"])
def test_cifar_from_every_form(form, tmp_path, cifar_like, write):
    _write_cifar(form, tmp_path, cifar_like, write)
    data = load("cifar10", validation_size=0, data_dir=tmp_path)
    _check_against(data, cifar_like, (32, 32, 3))


def test_fashion_mnist_has_names_of_its_own(tmp_path, mnist_like, write):
    write["idx"](tmp_path / "fashion-mnist", mnist_like)
    _check_against(
        load("fashion-mnist", validation_size=0, data_dir=tmp_path), mnist_like, (28, 28)
    )
    np.savez(tmp_path / "fashion_mnist.npz", **mnist_like | {"x_test": mnist_like["x_test"] // 2})
    assert load("fashion-mnist", data_dir=tmp_path).x_test.max() < 0.5


@pytest.mark.parametrize(
    ("name", "like", "mirrored"),
    [("mnist", "mnist_like", False), ("fashion-mnist", "mnist_like", True), ("cifar10", "cifar_like", True)],
)  # fmt: skip
def test_only_what_a_mirror_image_keeps_may_be_mirrored(name, like, mirrored, tmp_path, request):
    file = imagesets.IMAGE_SETS[name].npz
    np.savez(tmp_path / file, **request.getfixturevalue(like))
    assert load(name, data_dir=tmp_path).mirrored is mirrored


def test_data_dir_goes_before_the_environment(tmp_path, monkeypatch, mnist_like):
    for folder, offset in (("env", 0), ("given", 1)):
        (tmp_path / folder).mkdir()
        labels = (mnist_like["y_test"] + offset) % 10
        np.savez(tmp_path / folder / "mnist.npz", **mnist_like | {"y_test": labels})
    monkeypatch.setenv("ISINGEQ_DATA", str(tmp_path / "env"))
    np.testing.assert_array_equal(load("mnist").y_test, mnist_like["y_test"])
    given = load("mnist", data_dir=str(tmp_path / "given")).y_test
    np.testing.assert_array_equal(given, (mnist_like["y_test"] + 1) % 10)


def test_validation_comes_out_of_the_training_part(tmp_path, mnist_like):
    np.savez(tmp_path / "mnist.npz", **mnist_like)
    data = load("mnist", data_dir=tmp_path, validation_size=10, train_size=20, balanced=True)
    rows = {row.tobytes() for row in mnist_like["x_train"].reshape(60, -1) / np.float32(255)}
    train, validation = ({row.tobytes() for row in x} for x in (data.x_train, data.x_validation))
    assert len(train) == 20
    assert len(validation) == 10
    assert train | validation < rows
    assert not train & validation
    np.testing.assert_array_equal(np.bincount(data.y_validation), np.ones(10))
    np.testing.assert_array_equal(np.bincount(data.y_train), np.full(10, 2))


def test_scaling_holds_no_float64_copy(tmp_path, mnist_like, monkeypatch):
    """The float32 arrays are made from bytes in one go."""
    seen = []
    divide = np.divide

    def watch(x, scale, **kwargs):
        seen.append((x.dtype, kwargs.get("dtype")))
        return divide(x, scale, **kwargs)

    np.savez(tmp_path / "mnist.npz", **mnist_like)
    monkeypatch.setattr(np, "divide", watch)
    load("mnist", data_dir=tmp_path)
    assert seen == [(np.uint8, np.float32)] * 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x_train": None}, r"mnist.npz lacks x_train \(it has y_train, x_test, y_test\)"),
        ({"x_test": np.zeros((20, 8, 8), np.uint8)}, r"x_test in .*mnist.npz has examples of"),
        ({"y_train": np.full(60, 10)}, r"y_train in .*mnist.npz holds the label 10, allowed"),
        ({"y_test": np.full(20, -1)}, r"y_test in .*mnist.npz holds the label -1, allowed are 0"),
        ({"y_train": np.zeros(60, int)}, r"y_train in .*mnist.npz has no example of class 1"),
        ({"y_train": np.zeros(60)}, r"y_train in .*mnist.npz has dtype float64, allowed are int"),
        ({"y_test": np.zeros(19, int)}, r"y_test in .*mnist.npz has shape \(19,\), need \(20,\)"),
        ({"x_train": np.full((60, 28, 28), np.nan)}, r"x_train in .*npz holds 47040 NaN"),
        ({"x_train": np.full((60, 28, 28), 0.5)}, r"x_train in .* raw pixels as integers 0 … 255"),
        ({"x_train": np.full((60, 28, 28), 256)}, r"x_train in .*to 256, allowed is 0 … 255"),
    ],
)
def test_npz_with_wrong_content(change, message, tmp_path, mnist_like):
    arrays = {key: array for key, array in (mnist_like | change).items() if array is not None}
    np.savez(tmp_path / "mnist.npz", **arrays)
    _expect(message, "mnist", tmp_path)


def test_npz_of_other_images(tmp_path, mnist_like):
    small = {key: mnist_like[key][:, ::2, ::2] for key in ("x_train", "x_test")}
    np.savez(tmp_path / "mnist.npz", **mnist_like | small)
    _expect(r"images of shape \(14, 14\), those of mnist are \(28, 28\)", "mnist", tmp_path)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "text", "pickle", "npy"])
def test_damaged_npz(damage, tmp_path, mnist_like):
    path = tmp_path / "mnist.npz"
    np.savez(path, **mnist_like)
    content = path.read_bytes()
    if damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        path.write_bytes(content[:5000] + bytes([content[5000] ^ 1]) + content[5001:])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "text":
        path.write_text("not a data set")
    elif damage == "pickle":
        np.savez(path, **mnist_like | {"y_test": np.array([object()], dtype=object)})
    else:
        with path.open("wb") as stream:
            np.save(stream, mnist_like["x_train"])
    _expect(r"mnist.npz cannot be read as .npz \(\w+\), need an intact archive", "mnist", tmp_path)


@pytest.mark.parametrize(
    ("file", "damage", "message"),
    [
        ("t10k-images-idx3-ubyte", lambda c: c[:-1], r"t10k-images.* holds 15679 bytes of data"),
        ("t10k-images-idx3-ubyte", lambda c: c + b"x", r"t10k-images.* holds 15681 bytes of data"),
        ("train-labels-idx1-ubyte", lambda c: b"\0\0\x08\x03" + c[4:], r"train-labels.* begins"),
        ("train-labels-idx1-ubyte", lambda c: c[:3], r"train-labels.* begins with 0x000008, an"),
        ("train-labels-idx1-ubyte", lambda c: b"", r"train-labels.* begins with 0x, an IDX file"),
        ("t10k-labels-idx1-ubyte", lambda c: c[:-1] + b"\x0a", r"t10k-labels.* the label 10"),
        ("t10k-labels-idx1-ubyte", None, r"some IDX files but not t10k-labels-idx1-ubyte\[.gz\]"),
    ],
)
def test_damaged_idx(file, damage, message, tmp_path, mnist_like, write):
    write["idx"](tmp_path, mnist_like)
    if damage is None:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_bytes(damage((tmp_path / file).read_bytes()))
    _expect(message, "mnist", tmp_path)


@pytest.mark.parametrize(
    "damage", [lambda c: c[:-9], lambda c: c[:40] + b"?" + c[41:], bytes.swapcase]
)
def test_damaged_gzip(damage, tmp_path, mnist_like, write):
    write["idx"](tmp_path, mnist_like, compress=True)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(damage(path.read_bytes()))
    _expect(r"train-images-idx3-ubyte.gz cannot be read \(\w+\)", "mnist", tmp_path)


@pytest.mark.parametrize("damage", ["truncated", "empty", "missing", "label"])
def test_damaged_batches(damage, tmp_path, cifar_like, write):
    write["cifar"](tmp_path, cifar_like)
    path = tmp_path / "data_batch_3.bin"
    content = path.read_bytes()
    if damage == "truncated":
        path.write_bytes(content[:-1])
        message = r"data_batch_3.bin has 36875 bytes, need whole records of 3073"
    elif damage == "empty":
        path.write_bytes(b"")
        message = r"data_batch_3.bin has 0 bytes"
    elif damage == "missing":
        path.unlink()
        message = r"lacks data_batch_3.bin, need data_batch_1.bin to data_batch_5.bin"
    else:
        path.write_bytes(b"\x0b" + content[1:])
        message = r"data_batch_1 … 5.bin holds the label 11, allowed are 0 … 9"
    _expect(message, "cifar10", tmp_path)


@pytest.mark.parametrize("keep", [0.5, 0.0])
def test_damaged_archive(keep, tmp_path, cifar_like, write):
    write["archive"](tmp_path, cifar_like)
    path = tmp_path / "cifar-10-binary.tar.gz"
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    _expect(r"cifar-10-binary.tar.gz cannot be read \(\w+\)", "cifar10", tmp_path)


def test_files_of_the_other_set_are_refused(tmp_path, mnist_like, write, monkeypatch):
    """MNIST and Fashion-MNIST name their files alike; their test labels tell them apart."""
    import dataclasses
    import hashlib

    digest = hashlib.sha256(mnist_like["y_test"].tobytes()).hexdigest()
    mnist = dataclasses.replace(imagesets.MNIST, test_labels=digest)
    monkeypatch.setitem(imagesets.IMAGE_SETS, "mnist", mnist)
    write["idx"](tmp_path, mnist_like)
    assert load("mnist", data_dir=tmp_path).name == "mnist"
    _expect(
        "t10k-labels-idx1-ubyte belongs to mnist, need fashion-mnist", "fashion-mnist", tmp_path
    )


@pytest.mark.parametrize("by", ["data_dir", "ISINGEQ_DATA"])
def test_a_folder_that_is_not_there(by, tmp_path, monkeypatch):
    monkeypatch.setenv("ISINGEQ_DATA", str(tmp_path / "no"))
    with pytest.raises(DataError, match=rf"{by} is .*no, need an existing folder"):
        load("mnist", data_dir=tmp_path / "no" if by == "data_dir" else None)


def _expect(message, name, data_dir):
    with pytest.raises(DataError, match=message) as caught:
        load(name, data_dir=data_dir)
    assert len(str(caught.value).splitlines()) == 1
    assert str(data_dir) in str(caught.value)
