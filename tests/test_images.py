"""Images: loaders round-trip real files, generators do what slicing and rolling say."""

import gzip
import hashlib
import json
from dataclasses import replace
from io import BytesIO
from urllib.error import URLError
from urllib.parse import urlparse

import numpy as np
import pytest
from PIL import Image
from scipy import stats
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

from sklcnn.datasets import DynamicSignal
from sklcnn.datasets.images import (
    fetch_cifar10,
    fetch_mnist,
    load_digit_images,
    load_image_folder,
    load_npz_images,
    make_blob_images,
    make_translated_templates,
    openml,
    place_on_background,
    translate_images,
)
from sklcnn.patches import sliding_windows


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def color(rng):
    """Small color images, channels first, with their labels."""
    return rng.integers(0, 256, (12, 3, 6, 8), dtype=np.uint8), np.arange(12) % 3


# --- digits --------------------------------------------------------------------------------------


def test_oracle_digits_are_those_of_sklearn():
    ours, theirs = load_digit_images(dtype="float64"), load_digits()
    np.testing.assert_array_equal(ours.data * 16, theirs.data)
    np.testing.assert_array_equal(ours.target, theirs.target)
    assert ours.target_names[ours.target[3]] == "3"
    assert sliding_windows(ours.input_shape, 3).shape == (36, 9)


def test_contract_digits_types_and_pair():
    X, y = load_digit_images(return_X_y=True)
    assert X.dtype == np.float32
    assert y.shape == (1797,)
    counts = load_digit_images(dtype="uint8").data
    assert counts.dtype == np.uint8
    np.testing.assert_array_equal(counts, load_digits().data)


# --- OpenML: the real client reads files that the test writes -----------------------------------


class _Response(BytesIO):
    def info(self):
        return {"Content-Encoding": "gzip"}


@pytest.fixture
def serve(monkeypatch):
    """Answer OpenML's addresses with a data set of the given pixels and labels."""

    def start(data_id, pixels, labels, kinds):
        names = [*(f"a{i}" for i in range(pixels.shape[1])), "class"]
        arff = _write_arff(names, pixels, labels, kinds)
        answers = _answers(data_id, names, arff, len(pixels), kinds)
        asked = []

        def urlopen(request, *args, **kwargs):
            asked.append(urlparse(request.full_url).path)
            return _Response(gzip.compress(answers[asked[-1]]))

        monkeypatch.setattr("sklearn.datasets._openml.urlopen", urlopen)
        return asked

    return start


def _write_arff(names, pixels, labels, kinds):
    header = ["@RELATION images"]
    header += [f"@ATTRIBUTE {name} NUMERIC" for name in names[:-1]]
    header += [f"@ATTRIBUTE class {{{','.join(kinds)}}}", "@DATA"]
    rows = [",".join(map(str, [*row, label])) for row, label in zip(pixels, labels, strict=True)]
    return "\n".join(header + rows + [""]).encode()


def _answers(data_id, names, arff, n_samples, kinds):
    features = [
        {
            "index": str(index),
            "name": name,
            "data_type": "nominal" if name == "class" else "numeric",
            "is_target": str(name == "class").lower(),
            "is_ignore": "false",
            "is_row_identifier": "false",
            "number_of_missing_values": "0",
        }
        for index, name in enumerate(names)
    ]
    features[-1]["nominal_values"] = list(kinds)
    description = {
        "id": str(data_id),
        "name": "images",
        "version": "1",
        "description": "Made by a test.",
        "format": "ARFF",
        "status": "active",
        "file_id": "7",
        "url": "https://www.openml.org/data/v1/download/7/images.arff",
        "md5_checksum": hashlib.md5(arff).hexdigest(),
    }
    qualities = [{"name": "NumberOfInstances", "value": f"{n_samples}.0"}]
    return {
        f"/api/v1/json/data/{data_id}": _dump(data_set_description=description),
        f"/api/v1/json/data/features/{data_id}": _dump(data_features={"feature": features}),
        f"/api/v1/json/data/qualities/{data_id}": _dump(data_qualities={"quality": qualities}),
        "/data/v1/download/7/images.arff": arff,
    }


def _dump(**content):
    return json.dumps(content).encode()


@pytest.fixture
def small_cifar(monkeypatch, rng, serve):
    """CIFAR-10 of nine images of 4 x 5 pixels, seven of them for training."""
    sizes = {"n_samples": 9, "n_train": 7, "input_shape": (3, 4, 5)}
    monkeypatch.setattr(openml, "_CIFAR10", replace(openml._CIFAR10, **sizes))
    pixels = rng.integers(0, 256, (9, 3, 4, 5))
    labels = rng.integers(0, 10, 9)
    asked = serve(40927, pixels.reshape(9, -1), labels, list("0123456789"))
    return pixels, labels, asked


def test_oracle_fetch_cifar10_reads_planes_and_cuts_the_test_set_off(small_cifar, tmp_path):
    pixels, labels, _ = small_cifar
    train = fetch_cifar10(data_home=tmp_path)
    assert train.data.dtype == np.float32
    assert train.input_shape == (3, 4, 5)
    np.testing.assert_allclose(train.data.reshape(-1, 3, 4, 5), pixels[:7] / 255, rtol=1e-6)
    np.testing.assert_array_equal(train.target, labels[:7])
    assert train.target_names[train.target[0]] == openml._CIFAR10.target_names[labels[0]]
    assert "Made by a test" in train.DESCR
    X, y = fetch_cifar10(subset="test", data_home=tmp_path, dtype="uint8", return_X_y=True)
    assert X.dtype == np.uint8
    np.testing.assert_array_equal(X, pixels[7:].reshape(2, -1))
    np.testing.assert_array_equal(y, labels[7:])
    assert len(fetch_cifar10(subset="all", data_home=tmp_path).data) == 9


def test_contract_fetch_uses_the_cache(small_cifar, tmp_path):
    asked = small_cifar[2]
    first = fetch_cifar10(data_home=tmp_path)
    assert len(asked) == 4  # description, features, qualities, data
    second = fetch_cifar10(data_home=tmp_path)
    assert len(asked) == 4
    np.testing.assert_array_equal(first.data, second.data)


def test_oracle_fetch_mnist(monkeypatch, rng, serve, tmp_path):
    monkeypatch.setattr(openml, "_MNIST", replace(openml._MNIST, n_samples=5, n_train=3))
    pixels, labels = rng.integers(0, 256, (5, 784)), np.array([7, 0, 9, 1, 7])
    serve(554, pixels, labels, list("0123456789"))
    digits = fetch_mnist(subset="test", data_home=tmp_path, dtype="float64")
    assert digits.input_shape == (28, 28)
    np.testing.assert_allclose(digits.data, pixels[3:] / 255, rtol=1e-15)
    np.testing.assert_array_equal(digits.target, [1, 7])


def test_contract_fetch_understands_labels_that_are_names(monkeypatch, rng, serve, tmp_path):
    monkeypatch.setattr(openml, "_CIFAR10", replace(openml._CIFAR10, n_samples=3, n_train=2))
    names = openml._CIFAR10.target_names
    serve(40927, rng.integers(0, 256, (3, 3072)), ["frog", "cat", "truck"], names)
    found = fetch_cifar10(subset="all", data_home=tmp_path)
    assert found.target.tolist() == [6, 3, 9]
    assert found.input_shape == (3, 32, 32)


def test_contract_fetch_refuses_other_files(monkeypatch, rng, serve, tmp_path):
    serve(554, rng.integers(0, 256, (5, 784)), [1, 2, 3, 4, 5], list("0123456789"))
    with pytest.raises(ValueError, match=r"MNIST.*shape \(5, 784\), but \(70000, 784\)"):
        fetch_mnist(data_home=tmp_path)
    monkeypatch.setattr(openml, "_MNIST", replace(openml._MNIST, n_samples=5, n_train=3))
    serve(554, rng.integers(0, 256, (5, 784)), ["one", "two", "one", "one", "two"], ["one", "two"])
    with pytest.raises(ValueError, match="unknown label 'one'"):
        fetch_mnist(subset="test", data_home=tmp_path / "other")


def test_contract_fetch_without_network_says_what_would_do(monkeypatch, tmp_path):
    def urlopen(*args, **kwargs):
        raise URLError("no route to host")

    monkeypatch.setattr("sklearn.datasets._openml.time.sleep", lambda seconds: None)
    monkeypatch.setattr("sklearn.datasets._openml.urlopen", urlopen)
    with (
        pytest.raises(OSError, match=r"CIFAR-10 is not in the cache.*no route.*data_home"),
        pytest.warns(UserWarning, match="A network error occurred"),
    ):
        fetch_cifar10(data_home=tmp_path, n_retries=1, delay=0.01)


@pytest.mark.parametrize("fetch", [fetch_mnist, fetch_cifar10])
def test_contract_fetch_checks_before_it_downloads(fetch, tmp_path):
    with pytest.raises(ValueError, match="subset='validation' must be one of"):
        fetch(subset="validation", data_home=tmp_path)
    with pytest.raises(ValueError, match="dtype='int64' must be one of"):
        fetch(dtype="int64", data_home=tmp_path)
    assert not list(tmp_path.iterdir())


# --- NPZ files -----------------------------------------------------------------------------------


@pytest.fixture
def save(tmp_path):
    def write(**arrays):
        path = tmp_path / "pictures.npz"
        np.savez(path, **arrays)
        return path

    return write


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
def test_oracle_npz_round_trip(save, color, dtype):
    X, y = color
    found = load_npz_images(save(X=X, y=y), dtype=dtype)
    assert found.data.dtype == dtype
    assert found.input_shape == (3, 6, 8)
    scale = 1 if dtype == "uint8" else 255
    np.testing.assert_allclose(found.data.reshape(X.shape) * scale, X, rtol=1e-6)
    np.testing.assert_array_equal(found.target, y)
    np.testing.assert_array_equal(found.target_names, [0, 1, 2])


@pytest.mark.parametrize(
    ("images", "labels"),
    [("X", "y"), ("x", "y"), ("images", "labels"), ("data", "target"), ("Images", "Label")],
)
def test_contract_npz_knows_usual_names(save, color, images, labels):
    X, y = color
    pixels, target = load_npz_images(save(**{images: X, labels: y}), dtype="uint8", return_X_y=True)
    np.testing.assert_array_equal(pixels, X.reshape(12, -1))
    np.testing.assert_array_equal(target, y)


@pytest.mark.parametrize("pattern", ["{}_train {}_test", "train_{} test_{}"])
@pytest.mark.parametrize(("images", "labels"), [("x", "y"), ("images", "labels")])
def test_contract_npz_knows_its_subsets(save, color, pattern, images, labels):
    X, y = color
    train, test = pattern.split()
    path = save(
        **{train.format(images): X[:8], train.format(labels): y[:8, None]},
        **{test.format(images): X[8:], test.format(labels): y[8:, None]},
        classes=["ant", "bee", "cow"],
    )
    parts = {part: load_npz_images(path, subset=part) for part in ("train", "test", "all")}
    assert [len(part.data) for part in parts.values()] == [8, 4, 12]
    np.testing.assert_array_equal(parts["all"].target, y)
    np.testing.assert_array_equal(parts["test"].data, parts["all"].data[8:])
    assert parts["test"].target_names.tolist() == ["ant", "bee", "cow"]


def test_invariance_npz_channels_last(save, color):
    X, y = color
    first = load_npz_images(save(X=X, y=y)).data
    last = load_npz_images(save(X=np.moveaxis(X, 1, 3), y=y))
    assert last.input_shape == (3, 6, 8)
    np.testing.assert_array_equal(last.data, first)


def test_contract_npz_gray_images_have_two_sides(save, color):
    X, y = color
    for gray in (X[:, 0], X[:, :1], X[:, 0, :, :, None]):
        found = load_npz_images(save(X=gray, y=y), dtype="uint8")
        assert found.input_shape == (6, 8)
        np.testing.assert_array_equal(found.data, X[:, 0].reshape(12, -1))


def test_contract_npz_flat_images_need_a_shape(save, color):
    X, y = color
    path = save(X=X.reshape(12, -1), y=y)
    with pytest.raises(ValueError, match=r"'x' of shape \(12, 144\).*give their input_shape"):
        load_npz_images(path)
    assert load_npz_images(path, input_shape=(3, 6, 8)).input_shape == (3, 6, 8)
    with pytest.raises(ValueError, match=r"does not fit input_shape=\(3, 6, 9\).*162 pixels"):
        load_npz_images(path, input_shape=(3, 6, 9))


def test_contract_npz_ambiguous_channels(save, rng):
    X, y = rng.random((5, 3, 7, 3)), np.arange(5)
    path = save(X=X, y=y)
    with pytest.raises(ValueError, match="channel_axis='first' or channel_axis='last'"):
        load_npz_images(path)
    first = load_npz_images(path, channel_axis="first", dtype="float64")
    last = load_npz_images(path, channel_axis="last", dtype="float64")
    np.testing.assert_array_equal(first.data, X.reshape(5, -1))  # floats are not scaled
    np.testing.assert_array_equal(last.data.reshape(5, 3, 3, 7), np.moveaxis(X, 3, 1))


def test_contract_npz_labels_of_text(save, color):
    X, _ = color
    found = load_npz_images(save(X=X, y=["b", "a", "c"] * 4))
    assert found.target[:3].tolist() == ["b", "a", "c"]
    assert found.target_names.tolist() == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"y": None}, "holds images 'X' without labels: store them as y or labels or target"),
        ({"X": None}, "holds no images for subset='all'.*it holds y"),
        ({"y": np.zeros(11)}, r"'y' has shape \(11,\), but there are 12 images"),
        ({"y": np.eye(12)}, r"'y' has shape \(12, 12\)"),
        ({"X": np.zeros((12, 2, 3, 3, 3))}, r"'x' of shape \(12, 2, 3, 3, 3\) does not hold"),
        ({"X": np.zeros((0, 8, 8))}, "does not hold images"),
        ({"X": np.full((12, 8, 8), 300)}, "whole numbers from 300 to 300: they must be from 0"),
        ({"X": np.full((12, 8, 8), "a")}, "pixels must be numbers"),
        ({"X": np.array([None] * 12)}, "array 'X' cannot be read.*not Python objects"),
        ({"classes": ["a", "b"]}, "the label .*2.* is none of the 2 classes that 'classes' names"),
    ],
)
def test_contract_npz_errors_name_the_array(save, color, change, said):
    arrays = {"X": color[0], "y": color[1]} | change
    path = save(**{key: array for key, array in arrays.items() if array is not None})
    with pytest.raises(ValueError, match=said) as caught:
        load_npz_images(path)
    assert str(path) in str(caught.value)


def test_contract_npz_errors_of_files_and_parameters(save, color, tmp_path):
    X, y = color
    path = save(X=X, y=y)
    with pytest.raises(ValueError, match=r"subset='train'.*X_train and y_train.*it holds X, y"):
        load_npz_images(path, subset="train")
    with pytest.raises(ValueError, match="channel_axis='middle' must be"):
        load_npz_images(path, channel_axis="middle")
    with pytest.raises(FileNotFoundError, match=r"missing.npz: no such file"):
        load_npz_images(tmp_path / "missing.npz")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(ValueError, match=r"text.npz is no NPZ file"):
        load_npz_images(tmp_path / "text.npz")
    path = save(X_train=X, y_train=y, X_test=X[:, :, :5], y_test=y)
    with pytest.raises(ValueError, match=r"\(3, 6, 8\), test images uint8 of shape \(3, 5, 8\)"):
        load_npz_images(path)
    path = save(X_train=X, y_train=y, X_test=X / 255, y_test=y)
    with pytest.raises(ValueError, match=r"training images are uint8.*test images float64"):
        load_npz_images(path)
    with pytest.raises(ValueError, match="dtype='uint8' needs pixels stored as whole numbers"):
        load_npz_images(save(X=X / 255, y=y), dtype="uint8")


# --- folders of images ---------------------------------------------------------------------------


def write_folder(path, images, labels, names, suffix="png"):
    """Save images, channels first or gray, into one subfolder per class."""
    for index, (image, label) in enumerate(zip(images, labels, strict=True)):
        folder = path / names[label]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = image if image.ndim == 2 else np.moveaxis(image, 0, 2)
        Image.fromarray(pixels).save(folder / f"{index:03}.{suffix}")


def test_oracle_folder_round_trip(tmp_path, color):
    X, y = color
    write_folder(tmp_path, X, y, ["cow", "ant", "bee"])
    (tmp_path / "ant" / "notes.txt").write_text("no image")
    (tmp_path / ".cache").mkdir()
    found = load_image_folder(tmp_path, dtype="uint8")
    assert found.target_names.tolist() == ["ant", "bee", "cow"]
    assert found.input_shape == (3, 6, 8)
    order = np.concatenate([np.flatnonzero(y == label) for label in (1, 2, 0)])
    np.testing.assert_array_equal(found.data, X[order].reshape(12, -1))  # PNG keeps every pixel
    np.testing.assert_array_equal(found.target, [0] * 4 + [1] * 4 + [2] * 4)
    assert [name[-7:-4] for name in found.filenames] == [f"{index:03}" for index in order]


def test_contract_folder_gray_images(tmp_path, color):
    X, y = color
    write_folder(tmp_path, X[:, 0], y, "abc")
    gray = load_image_folder(tmp_path)
    assert gray.input_shape == (6, 8)
    np.testing.assert_allclose(gray.data[:4] * 255, X[y == 0, 0].reshape(4, -1), rtol=1e-6)
    as_color = load_image_folder(tmp_path, grayscale=False)
    assert as_color.input_shape == (3, 6, 8)
    np.testing.assert_array_equal(as_color.data[:, :48], gray.data)
    write_folder(tmp_path, X[:1], [0], "d")
    assert load_image_folder(tmp_path).input_shape == (3, 6, 8)  # one color image is enough
    assert load_image_folder(tmp_path, grayscale=True).input_shape == (6, 8)


def test_closed_form_folder_gray_is_luma(tmp_path, color):
    X, y = color
    write_folder(tmp_path, X, y, "abc")
    gray = load_image_folder(tmp_path, grayscale=True, dtype="uint8").data[:4]
    luma = np.einsum("nchw,c->nhw", X[y == 0], [0.299, 0.587, 0.114])  # ITU-R 601-2
    np.testing.assert_allclose(gray, luma.reshape(4, -1), atol=1)  # rounding


def test_contract_folder_resizes(tmp_path, color):
    X, y = color
    write_folder(tmp_path, X[:6], y[:6], "abc")
    write_folder(tmp_path, np.full((3, 9, 5, 3), 51, np.uint8).transpose(0, 3, 1, 2), y[:3], "def")
    with pytest.raises(ValueError, match=r"has 9 x 5 pixels, but .* has 6 x 8: give a size"):
        load_image_folder(tmp_path)
    found = load_image_folder(tmp_path, size=(4, 7))
    assert found.input_shape == (3, 4, 7)
    np.testing.assert_allclose(found.data[-3:], 0.2, rtol=1e-6)  # a plain image stays plain
    assert load_image_folder(tmp_path, size=5).input_shape == (3, 5, 5)
    with pytest.raises(ValueError, match="size=0 must be"):
        load_image_folder(tmp_path, size=0)


def test_contract_folder_subsets_and_jpeg(tmp_path):
    plain = np.repeat(np.array([0, 102, 204], np.uint8), 64).reshape(3, 8, 8)
    write_folder(tmp_path / "train", plain, [0, 1, 0], ["ant", "bee"], "jpg")
    write_folder(tmp_path / "test", plain[1:], [1, 1], ["ant", "bee"], "JPEG")
    train, test, both = (load_image_folder(tmp_path, subset=s) for s in ("train", "test", "all"))
    np.testing.assert_allclose(train.data[:, 0], [0, 0.8, 0.4], atol=0.01)  # JPEG is not exact
    np.testing.assert_array_equal(train.target, [0, 0, 1])
    np.testing.assert_array_equal(both.target, [0, 0, 1, 1, 1])
    np.testing.assert_array_equal(test.target_names[test.target], ["bee", "bee"])
    with pytest.raises(ValueError, match="no subfolders train and test"):
        load_image_folder(tmp_path / "train", subset="train")


def test_contract_folder_turns_photographs_upright(tmp_path, color):
    (tmp_path / "a").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its left side: to be turned clockwise
    pixels = color[0][0, 0]
    Image.fromarray(pixels).save(tmp_path / "a" / "1.png", exif=exif)
    found = load_image_folder(tmp_path, dtype="uint8")
    np.testing.assert_array_equal(found.data.reshape(8, 6), np.rot90(pixels, -1))


def test_contract_folder_errors_name_the_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder"):
        load_image_folder(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="has no subfolders: put the images of each class"):
        load_image_folder(tmp_path)
    (tmp_path / "a").mkdir()
    with pytest.raises(ValueError, match=r"a holds no images: known are files that end in .png"):
        load_image_folder(tmp_path)
    (tmp_path / "a" / "broken.png").write_text("no image")
    for grayscale in (None, True):
        with pytest.raises(ValueError, match=r"broken.png cannot be read as an image"):
            load_image_folder(tmp_path, grayscale=grayscale)
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(tmp_path / "a" / "broken.png")
    with pytest.raises(ValueError, match=r"broken.png has pixels of more than 8 bits"):
        load_image_folder(tmp_path)
    whole = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32), dtype=np.uint8))
    whole.save(tmp_path / "a" / "broken.png")
    content = (tmp_path / "a" / "broken.png").read_bytes()
    (tmp_path / "a" / "broken.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"broken.png cannot be read"):
        load_image_folder(tmp_path)


# --- translations --------------------------------------------------------------------------------


@pytest.mark.parametrize("input_shape", [(9,), (6, 8), (3, 6, 8), (1, 9)])
def test_oracle_wrapped_translation_is_np_roll(rng, input_shape):
    X = rng.random((30, *input_shape))
    moved, shifts = translate_images(
        X, input_shape, max_shift=11, border="wrap", return_shifts=True, random_state=0
    )
    axes = (-2, -1) if len(input_shape) > 1 else (-1,)
    for image, found, shift in zip(X, moved, shifts, strict=True):
        expected = np.roll(image, shift[-len(axes) :], axes)
        np.testing.assert_array_equal(found, expected.ravel())


def pad_and_cut(image, shift, mode):
    """The image moved by shift, by slicing a padded one."""
    rows, columns = image.shape[-2:]
    widths = [(0, 0)] * (image.ndim - 2) + [(5, 5), (5, 5)]
    padded = np.pad(image, widths, mode=mode)
    top, left = 5 - shift[0], 5 - shift[1]
    return padded[..., top : top + rows, left : left + columns]


@pytest.mark.parametrize(("border", "mode"), [("zero", "constant"), ("edge", "edge")])
@pytest.mark.parametrize("input_shape", [(6, 8), (3, 6, 8)])
def test_oracle_translation_is_a_slice_of_the_padded_image(rng, input_shape, border, mode):
    X = rng.random((50, *input_shape)) + 1
    moved, shifts = translate_images(
        X.reshape(50, -1),
        input_shape,
        max_shift=(4, 5),
        border=border,
        return_shifts=True,
        random_state=0,
    )
    assert np.abs(shifts).max(axis=0).tolist() == [4, 5]
    for image, found, shift in zip(X, moved, shifts, strict=True):
        np.testing.assert_array_equal(found, pad_and_cut(image, shift, mode).ravel())


def test_closed_form_shifts_are_uniform_and_independent():
    X = np.ones((20_000, 1, 1))
    _, shifts = translate_images(
        X, (1, 1), max_shift=(2, 1), border="wrap", return_shifts=True, random_state=0
    )
    counts = np.histogram2d(*shifts.T, bins=[np.arange(-2.5, 3), np.arange(-1.5, 2)])[0]
    assert counts.shape == (5, 3)
    assert stats.chisquare(counts.ravel()).pvalue > 0.001


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64", "bool"])
@pytest.mark.parametrize("border", ["zero", "edge", "wrap"])
def test_invariance_translation_keeps_dtype_and_input(rng, dtype, border):
    X = rng.integers(0, 2, (4, 36)).astype(dtype)
    before = X.copy()
    moved = translate_images(X, (6, 6), max_shift=2, border=border, random_state=0)
    assert moved.dtype == X.dtype
    np.testing.assert_array_equal(X, before)
    still = translate_images(X, (6, 6), max_shift=0, border=border)
    np.testing.assert_array_equal(still, X)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"max_shift": -1}, "max_shift=-1 must be a whole number"),
        ({"max_shift": 1.5}, "max_shift=1.5 must be a whole number"),
        ({"max_shift": (1, 2, 3)}, r"max_shift=\(1, 2, 3\) must be"),
        ({"max_shift": 6}, "can push an image of 6 x 8 pixels out of sight"),
        ({"border": "mirror"}, "border='mirror' must be one of 'zero', 'edge', 'wrap'"),
        ({"input_shape": (6, 9)}, r"X has shape \(4, 48\), but input_shape=\(6, 9\)"),
        ({"input_shape": (6, 8.0)}, r"input_shape=\(6, 8.0\) must be"),
        ({"input_shape": (1, 1, 6, 8)}, "must be .length,., .height, width. or"),
    ],
)
def test_contract_translation_errors(change, said):
    with pytest.raises(ValueError, match=said):
        translate_images(np.zeros((4, 48)), **({"input_shape": (6, 8), "max_shift": 2} | change))


# --- backgrounds ---------------------------------------------------------------------------------

SMALL, LARGE = (2, 3, 4), (7, 9)


@pytest.fixture
def small(rng):
    return rng.random((40, *SMALL)) + 1


@pytest.mark.parametrize(
    ("position", "corner"),
    [
        ("top-left", (0, 0)),
        ("top-right", (0, 5)),
        ("bottom-left", (4, 0)),
        ("bottom-right", (4, 5)),
        ("center", (2, 2)),
        ((3, 1), (3, 1)),
    ],
)
def test_oracle_fixed_position_is_a_slice(small, position, corner):
    X, positions = place_on_background(
        small.reshape(40, -1),
        SMALL,
        background_shape=LARGE,
        position=position,
        return_positions=True,
    )
    expected = np.zeros((40, 2, *LARGE))
    expected[:, :, corner[0] : corner[0] + 3, corner[1] : corner[1] + 4] = small
    np.testing.assert_array_equal(X, expected.reshape(40, -1))
    np.testing.assert_array_equal(positions, [corner] * 40)


@pytest.mark.parametrize("position", ["random", "corner"])
@pytest.mark.parametrize("background", [None, 0.5])
def test_oracle_random_position_is_a_slice(small, position, background):
    X, positions = place_on_background(
        small,
        SMALL,
        background_shape=LARGE,
        position=position,
        background=background,
        return_positions=True,
        random_state=0,
    )
    assert positions.min(axis=0).tolist() == [0, 0]
    assert positions.max(axis=0).tolist() == [4, 5]
    assert (len(np.unique(positions, axis=0)) == 4) == (position == "corner")
    for image, found, (row, column) in zip(small, X.reshape(40, 2, *LARGE), positions, strict=True):
        inside = np.zeros(found.shape, dtype=bool)
        inside[:, row : row + 3, column : column + 4] = True
        np.testing.assert_array_equal(found[inside], image.ravel())
        assert (found[~inside] == 0).all() == (background is None)


@pytest.mark.parametrize(("position", "n_places"), [("random", 5 * 6), ("corner", 4)])
def test_closed_form_positions_are_uniform(position, n_places):
    _, positions = place_on_background(
        np.ones((12_000, 12)),
        (3, 4),
        background_shape=LARGE,
        position=position,
        return_positions=True,
        random_state=1,
    )
    places, counts = np.unique(positions, axis=0, return_counts=True)
    assert len(places) == n_places
    assert stats.chisquare(counts).pvalue > 0.001


@pytest.mark.parametrize("noise", [0.5, 2.0])
@pytest.mark.parametrize(("dtype", "kind"), [("uint8", "float32"), ("float64", "float64")])
def test_closed_form_gaussian_background_has_the_standard_deviation(noise, dtype, kind):
    X = place_on_background(
        np.ones((200, 4), dtype=dtype),
        (2, 2),
        background_shape=(12, 12),
        position="top-left",
        background=noise,
        random_state=0,
    )
    assert X.dtype == kind
    pixels = np.delete(X, [0, 1, 12, 13], axis=1) / noise  # (200, 140)
    assert (np.delete(X, np.arange(2, 12), axis=1)[:, :2] == 1).all()
    assert pixels.mean() == pytest.approx(0, abs=4 / np.sqrt(pixels.size))  # 4 standard errors
    assert pixels.std() == pytest.approx(1, abs=4 / np.sqrt(2 * pixels.size))
    assert stats.kstest(pixels[:, :20].ravel(), "norm").pvalue > 0.001
    correlation = np.corrcoef(pixels) - np.eye(200)  # of one image's noise with another's
    assert np.abs(correlation).max() < 6 / np.sqrt(140)


def test_limit_background_of_the_same_size_is_covered(small):
    X = place_on_background(
        small, SMALL, background_shape=(3, 4), position="random", background=1.0, random_state=0
    )
    np.testing.assert_array_equal(X, small.reshape(40, -1))


def test_oracle_mosaic_is_made_of_other_images(rng):
    others = rng.random((7, 2, 4, 4))
    X = place_on_background(
        np.full((300, 32), -1.0),
        (2, 4, 4),
        background_shape=(8, 8),
        position="corner",
        background=others,
        random_state=0,
    ).reshape(300, 2, 8, 8)
    seen = []
    for image in X:
        blocks = [image[:, r : r + 4, c : c + 4] for r in (0, 4) for c in (0, 4)]
        pasted = [bool((block == -1).all()) for block in blocks]
        assert sum(pasted) == 1
        for block, is_image in zip(blocks, pasted, strict=True):
            matches = [i for i, other in enumerate(others) if np.array_equal(other, block)]
            assert len(matches) == (0 if is_image else 1)
            seen += matches
    assert stats.chisquare(np.bincount(seen, minlength=7)).pvalue > 0.001


def test_oracle_mosaic_is_cut_and_whole_backgrounds_are_kept(rng):
    others = rng.random((3, 12))
    X = place_on_background(
        np.full((5, 12), -1.0), (3, 4), background_shape=(5, 9), position=(2, 5), background=others
    ).reshape(5, 5, 9)
    pieces = others.reshape(3, 3, 4)
    assert all(any(np.array_equal(x[:3, :4], piece) for piece in pieces) for x in X)
    assert all(any(np.array_equal(x[3:, :4], piece[:2]) for piece in pieces) for x in X)
    whole = rng.random((3, 5, 9))
    X = place_on_background(
        np.full((5, 12), -1.0), (3, 4), background_shape=(5, 9), position=(2, 5), background=whole
    ).reshape(5, 5, 9)
    assert all(any(np.array_equal(x[:, :5], piece[:, :5]) for piece in whole) for x in X)
    assert (X[:, 2:, 5:] == -1).all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"background_shape": (2, 9)}, r"\(2, 9\) is smaller than the images of 3 x 4 pixels"),
        ({"background_shape": 9}, "background_shape=9 must be"),
        ({"background_shape": (2, 7, 9)}, r"background_shape=\(2, 7, 9\) must be"),
        ({"background_shape": (7, 0)}, r"background_shape=\(7, 0\) must be"),
        ({"position": "middle"}, "position='middle' must be one of 'top-left'"),
        ({"position": (5, 0)}, r"position=\(5, 0\) must be .* from \(0, 0\) to \(4, 5\)"),
        ({"position": (0.5, 0)}, r"position=\(0.5, 0\) must be"),
        ({"background": -1.0}, "background=-1.0 must be None, a standard deviation"),
        ({"background": "gaussian"}, "background='gaussian' must be None"),
        (
            {"background": np.ones((2, 5))},
            r"shape \(2, 5\).* 24, or .* 126",
        ),
        ({"input_shape": (3, 4)}, r"X has shape \(1, 24\), but input_shape=\(3, 4\)"),
    ],
)
def test_contract_background_errors(change, said):
    arguments = {"input_shape": SMALL, "background_shape": LARGE} | change
    with pytest.raises(ValueError, match=said):
        place_on_background(np.ones((1, 24)), **arguments)


# --- templates -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("positions", "expected"),
    [
        ("anywhere", range(18)),
        ("first_half", range(7)),
        ("second_half", range(10, 17 + 1)),
        ([4, 16], [4, 16]),
    ],
)
def test_oracle_templates_lie_where_they_should(rng, positions, expected):
    templates = rng.random((3, 4)) + 1
    X, y, places = make_translated_templates(
        n_samples=3000,
        n_features=21,
        template_size=4,
        n_classes=3,
        templates=templates,
        noise=0,
        positions=positions,
        return_positions=True,
        random_state=0,
    )
    for signal, label, place in zip(X, y, places, strict=True):
        clean = np.zeros(21)
        clean[place : place + 4] = templates[label]
        np.testing.assert_array_equal(signal, clean)
    found, counts = np.unique(places, return_counts=True)
    assert found.tolist() == list(expected)
    assert stats.chisquare(counts).pvalue > 0.001
    assert stats.chisquare(np.bincount(y)).pvalue > 0.001
    assert stats.chi2_contingency(np.histogram2d(y, places, bins=[3, found.size])[0])[1] > 0.001


def test_closed_form_noise_of_templates():
    kwargs = {"n_samples": 500, "n_classes": 4, "random_state": 3}
    clean, y = make_translated_templates(noise=0, **kwargs)
    X, again = make_translated_templates(noise=0.3, **kwargs)
    np.testing.assert_array_equal(y, again)
    np.testing.assert_allclose(np.linalg.norm(clean, axis=1), 1)
    assert (X - clean).std() == pytest.approx(0.3, rel=4 / np.sqrt(2 * X.size))
    assert len(np.unique(np.round(np.sort(clean, axis=1), 9), axis=0)) == 4  # a template a class


def test_oracle_bayes_rule_of_the_dynamic_signal_knows_templates(rng):
    """A law with the same templates, places and noise errs as often as it says."""
    templates = np.linalg.qr(rng.standard_normal((5, 2)))[0].T
    X, y = make_translated_templates(
        n_samples=4000, n_features=30, template_size=5, templates=templates, noise=0.3
    )
    prior = np.r_[np.full(26, 1 / 26), np.zeros(4)]  # a template that would wrap around is out
    law = DynamicSignal(
        6,
        5,
        0.3,
        task="type",
        n_types=2,
        signal=templates,
        placement="pixel",
        location_prior=prior,
        random_state=0,
    )
    own_X, own_y = law.sample(4000, random_state=1)
    errors = np.mean(law.predict(X) != y), np.mean(law.predict(own_X) != own_y)
    assert 0.01 < errors[1] < 0.4
    error = np.sqrt(2 * errors[1] * (1 - errors[1]) / 4000)
    assert errors[0] == pytest.approx(errors[1], abs=4 * error)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"template_size": 101}, "template_size=101 does not fit into the 100 features"),
        ({"template_size": 51, "positions": "first_half"}, "the 50 features of positions='first"),
        ({"positions": "last"}, "positions='last' must be one of 'anywhere'"),
        ({"positions": [91]}, r"positions=\[91\] must be .* template_size = 90"),
        ({"positions": [0.5]}, r"positions=\[0.5\] must be a list of integers"),
        ({"positions": []}, r"positions=\[\] must be a list"),
        ({"templates": np.ones((2, 9))}, r"templates has shape \(2, 9\).*must have shape \(2, 10"),
        ({"noise": -1}, "'noise' parameter"),
        ({"n_classes": 1}, "'n_classes' parameter"),
    ],
)
def test_contract_template_errors(change, said):
    with pytest.raises(ValueError, match=said):
        make_translated_templates(**change)


# --- blobs ---------------------------------------------------------------------------------------


def test_limit_blobs_without_disturbances_are_one_image_a_class():
    X, y = make_blob_images(
        n_samples=60, n_classes=7, jitter=0, lighting=0, noise=0, random_state=0
    )
    assert sorted(np.bincount(y)) == [8] * 3 + [9] * 4
    for label in range(7):
        assert (X[y == label] == X[y == label][0]).all()
    assert len(np.unique(X, axis=0)) == 7
    assert X.min() >= 0
    assert X.max() <= 1


def test_closed_form_light_is_a_plane():
    kwargs = {"n_samples": 400, "n_classes": 2, "jitter": 0, "noise": 0, "random_state": 0}
    dark, _ = make_blob_images(lighting=0, **kwargs)
    lit, _ = make_blob_images(lighting=0.01, **kwargs)
    rows, columns = np.meshgrid(np.linspace(0, 1, 32), np.linspace(0, 1, 32), indexing="ij")
    planes = np.column_stack([rows.ravel(), columns.ravel(), np.ones(1024)])
    inside = ((dark > 0.05) & (dark < 0.95)).all(axis=0)  # where nothing is clipped
    assert inside.sum() > 500
    slopes, residuals, *_ = np.linalg.lstsq(planes[inside], (lit - dark)[:, inside].T)
    assert residuals.max() < 1e-20
    np.testing.assert_allclose(slopes[2], -(slopes[0] + slopes[1]) / 2, atol=1e-12)  # mean zero
    assert slopes[:2].std() == pytest.approx(0.01, rel=4 / np.sqrt(2 * 800))


def test_closed_form_noise_of_blobs():
    kwargs = {"n_samples": 100, "n_classes": 2, "lighting": 0, "jitter": 0, "random_state": 0}
    clean, noisy = (make_blob_images(noise=noise, **kwargs)[0] for noise in (0, 0.02))
    inside = (clean > 0.1) & (clean < 0.9)  # five standard deviations away from clipping
    residual = (noisy - clean)[inside]
    assert residual.std() == pytest.approx(0.02, rel=4 / np.sqrt(2 * residual.size))


def test_closed_form_jitter_moves_the_blob():
    """The logarithm of a Gaussian bump is a parabola, whose differences tell its summit."""
    X, y = make_blob_images(
        n_samples=2000,
        n_classes=2,
        input_shape=(20, 24),
        n_blobs=1,
        jitter=1.5,
        lighting=0,
        noise=0,
        random_state=2,
    )
    bumps = np.abs(X - 0.5).reshape(-1, 20, 24)
    samples = np.arange(len(X))
    for axis in (1, 2):
        profile = bumps.sum(axis=3 - axis)  # (n_samples, side)
        top = profile.argmax(axis=1).clip(1, profile.shape[1] - 2)
        before, at, after = (np.log(profile[samples, top + step]) for step in (-1, 0, 1))
        bend = after - 2 * at + before
        centers = top - (after - before) / (2 * bend)
        spreads = [centers[y == label].std() for label in range(2)]
        np.testing.assert_allclose(spreads, 1.5, rtol=4 / np.sqrt(2 * 1000))
        widths = np.sqrt(-1 / bend)
        assert np.ptp(widths[y == 0]) < 1e-6
        assert 0.05 * 20 <= widths.min() <= widths.max() <= 0.15 * 20


def test_contract_blobs_can_be_told_apart():
    X, y = make_blob_images(n_samples=400, random_state=0)
    accuracy = KNeighborsClassifier(1).fit(X[:200], y[:200]).score(X[200:], y[200:])
    assert accuracy > 0.8  # chance is 1/40


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"input_shape": (3, 8, 8)}, r"input_shape=\(3, 8, 8\) must be \(height, width\)"),
        ({"input_shape": 8}, "input_shape=8 must be"),
        ({"input_shape": (8, 0)}, r"input_shape=\(8, 0\) must be"),
        ({"n_blobs": 0}, "'n_blobs' parameter"),
        ({"jitter": -1}, "'jitter' parameter"),
    ],
)
def test_contract_blob_errors(change, said):
    with pytest.raises(ValueError, match=said):
        make_blob_images(**change)


# --- randomness ----------------------------------------------------------------------------------

PIXELS = np.arange(80.0).reshape(5, 16)
DRAWS = {
    "translate": lambda state: translate_images(PIXELS, (4, 4), max_shift=3, random_state=state),
    "place": lambda state: place_on_background(
        PIXELS, (4, 4), background_shape=(9, 9), background=1.0, random_state=state
    ),
    "mosaic": lambda state: place_on_background(
        PIXELS, (4, 4), background_shape=(9, 9), background=PIXELS, random_state=state
    ),
    "templates": lambda state: make_translated_templates(random_state=state)[0],
    "blobs": lambda state: make_blob_images(n_samples=9, n_classes=3, random_state=state)[0],
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_contract_randomness_is_an_argument(draw):
    before = np.random.get_state()[1].copy()
    np.testing.assert_array_equal(draw(0), draw(0))
    assert not np.array_equal(draw(0), draw(1))
    assert not np.array_equal(draw(None), draw(None))
    states = np.random.RandomState(0), np.random.RandomState(0)
    np.testing.assert_array_equal(draw(states[0]), draw(states[1]))
    assert not np.array_equal(draw(states[0]), draw(0))
    np.testing.assert_array_equal(np.random.get_state()[1], before)
