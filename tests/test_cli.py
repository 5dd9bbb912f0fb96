"""The command line: what it prints, what it writes, and how it answers mistakes and Ctrl-C."""

import importlib
import os
import signal
import subprocess
import sys
import time
from argparse import Namespace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sklcnn import __version__
from sklcnn.cli import main
from sklcnn.cli.directories import resumable
from sklcnn.studies import plan as planning
from sklcnn.studies.tables import read_table

N_SAMPLES = 80


@pytest.fixture
def frame():
    """Six features, of which the first decides between two labels."""
    X = np.random.default_rng(0).normal(size=(N_SAMPLES, 6))
    labels = np.where(X[:, 0] > 0, "yes", "no")
    return pd.DataFrame(X, columns=list("abcdef")).assign(label=labels)


@pytest.fixture
def csv(frame, tmp_path, monkeypatch):
    """A file ``data.csv`` in the working directory."""
    monkeypatch.chdir(tmp_path)
    frame.to_csv("data.csv", index=False)
    return "data.csv"


@pytest.fixture
def few_steps(monkeypatch):
    monkeypatch.setattr(planning, "N_STEPS", 8)
    monkeypatch.setattr(planning, "MIN_EPOCHS", 1)


# --- a run ---------------------------------------------------------------------------------------


def test_compare_prints_the_answer_and_writes_three_files(csv, few_steps, capsys):
    arguments = ["compare", csv, "--sizes", "10", "40", "--repeats", "2", "--jobs", "1"]
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    for word in ("data: test accuracy", "±", "Locality ", "Sharing ", "Control: ", "parameters"):
        assert word in out
    assert "data: learning curves" in err
    files = Path("sklcnn-compare")
    assert sorted(f.name for f in files.iterdir()) == ["curves.png", "report.html", "results.csv"]
    results = pd.read_csv(files / "results.csv")
    assert len(results) == (2 * 4 + 1) * 2 * 2
    assert set(results.n) == {10, 40}

    (files / "notes.txt").write_text("mine")
    assert main([*arguments, "--overwrite", "--seed", "1"]) == 0
    assert (files / "notes.txt").read_text() == "mine"
    assert np.any(pd.read_csv(files / "results.csv").seed != results.seed)


def test_embedded_data_need_no_argument(tmp_path, few_steps, capsys):
    out = str(tmp_path / "out")
    assert main(["compare", "--sizes", "20", "--repeats", "1", "--jobs", "1", "--out", out]) == 0
    results = pd.read_csv(tmp_path / "out" / "results.csv")
    assert list(dict.fromkeys(results.data)) == ["DSD", "digits"]
    assert len(results) == 2 * (2 * 4 + 1)
    printed = capsys.readouterr().out
    assert "DSD:\n" in printed
    assert "digits:\n" in printed


def test_csv_parquet_and_npz_hold_the_same(csv, frame):
    frame.to_parquet("data.parquet")
    np.savez("data.npz", X=frame[list("abcdef")].to_numpy(), y=frame.label.to_numpy(dtype=str))
    first, *others = (read_table(f"data.{suffix}") for suffix in ("csv", "parquet", "npz"))
    for other in others:
        np.testing.assert_allclose(other.X, first.X, rtol=1e-12)  # decimal text
        np.testing.assert_array_equal(other.y, first.y)


def test_target_may_be_any_column(csv, frame):
    frame[["label", *"abcdef"]].to_csv("first.csv", index=False)
    table = read_table("first.csv", "label")
    np.testing.assert_array_equal(table.X, read_table(csv).X)
    assert table.columns == tuple("abcdef")


def test_help_and_errors_of_usage_load_nothing_heavy():
    code = "import sys; from sklcnn.cli import main; main(['compare', '--nonsense']); "
    code += "print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "sklearn", "pandas", "numpy", "matplotlib"} & set(done.stdout.split())
    assert "--nonsense" in done.stderr


def test_help_names_every_option(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["compare", "--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    options = (
        "--target --input-shape --patch-size --stride --sizes --repeats --seed --device --jobs"
    )
    assert all(f"{option} " in shown for option in [*options.split(), "--out", "--overwrite"])


def test_info_names_versions_and_devices(capsys):
    assert main(["info"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"sklcnn {__version__}"
    assert any(line.startswith("torch 2.") for line in lines)
    assert lines[-1].startswith("devices: cpu")


def test_without_a_verb_it_shows_help(capsys):
    assert main([]) == 0
    assert "compare" in capsys.readouterr().out


# --- bad input -----------------------------------------------------------------------------------


def write(name, content):
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())


def spoil(frame, **columns):
    """Write the frame with entries replaced: column=(row, value), or column=values."""
    frame = frame.astype(object)
    for column, change in columns.items():
        if isinstance(change, tuple):
            frame.loc[change[0], column] = change[1]
        else:
            frame[column] = change
    frame.to_csv("data.csv", index=False)


def save_npz(**arrays):
    np.savez("data.npz", **arrays)


X3, Y3 = np.zeros((N_SAMPLES, 4, 4)) + np.arange(4), np.arange(N_SAMPLES) % 2

FILES = [
    # what is done to the frame, the file that is read, what the line must say after its name
    (lambda f: None, "nowhere.csv", "no such file"),
    (lambda f: write("data.csv", ""), "data.csv", "the file is empty"),
    (lambda f: write("data.csv", "\n\n"), "data.csv", "the first line is empty"),
    (lambda f: write("data.csv", "a,b,label\n"), "data.csv", "holds no samples"),
    (lambda f: write("data.csv", bytes(range(256))), "data.csv", "cannot be read"),
    (lambda f: write("data.csv", "a,b\n1,2\n1,2,3\n"), "data.csv", "cannot be read"),
    (lambda f: write("data.csv", "a,b\n1,2,3\n1,2,3\n"), "data.csv", "more entries than the first"),
    (lambda f: write("data.csv", "1.5,2,0\n2.5,3,1\n"), "data.csv", "first line holds numbers"),
    (lambda f: f.to_csv("data.csv"), "data.csv", "column 1 has no name"),
    (lambda f: f.to_csv("data.csv", sep=";", index=False), "data.csv", "only one column, 'a;b"),
    (lambda f: Path("folder.csv").mkdir(), "folder.csv", "is a directory"),
    (lambda f: write("data.txt", "a"), "data.txt", "unknown kind of file '.txt'"),
    (lambda f: write("data.parquet", "a"), "data.parquet", "cannot be read"),
    (lambda f: write("data.npz", "a"), "data.npz", "is not an NPZ file"),
    (lambda f: save_npz(X=X3), "data.npz", "lacks the array 'y'; it holds X"),
    (lambda f: save_npz(data=X3, y=Y3), "data.npz", "lacks the array 'X'; it holds data, y"),
    (lambda f: save_npz(X=X3, y=Y3[:-1]), "data.npz", "'y': 79 labels for 80 samples"),
    (lambda f: save_npz(X=X3, y=np.eye(2)[Y3]), "data.npz", "'y': shape (80, 2)"),
    (lambda f: save_npz(X=X3, y=Y3.astype(object)), "data.npz", "array of Python objects"),
    (lambda f: save_npz(X=X3[:, 0, 0], y=Y3), "data.npz", "shape (80,)"),
    (lambda f: save_npz(X=X3 * 1j, y=Y3), "data.npz", "not real numbers but complex128"),
    (lambda f: save_npz(X=X3.reshape(80, 2, 2, 2, 2), y=Y3), "data.npz", "at most three axes"),
    (lambda f: spoil(f, c="red", d="blue"), "data.csv", "not numeric: 'c', 'd' (labels: 'label')"),
    (lambda f: spoil(f, b=(3, None), e=(5, None)), "data.csv", "NaN at row 4, column 'b' (2 in"),
    (lambda f: spoil(f, b=(3, np.inf)), "data.csv", "infinity at row 4, column 'b'"),
    (lambda f: spoil(f, b=(3, 1e300)), "data.csv", "1e+300, too large"),
    (lambda f: spoil(f, label="yes"), "data.csv", "'label': only one class, yes"),
    (lambda f: spoil(f, label=(7, None)), "data.csv", "'label': the label is missing at row 8"),
    (lambda f: spoil(f, label=(7, "rare")), "data.csv", "'label': class rare has too few samples"),
    (lambda f: spoil(f, label=f.a), "data.csv", "'label': 80 different numbers look like a regr"),
    (lambda f: spoil(f, label=range(80)), "data.csv", "look like a regression target"),
]


def assert_one_line(capsys, *words):
    """Nothing was printed but one line on standard error, with these words."""
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.endswith("\n")
    for word in words:
        assert word in err


@pytest.mark.parametrize(("prepare", "name", "words"), FILES, ids=[row[2][:30] for row in FILES])
def test_bad_file_is_named_in_one_line(csv, frame, capsys, prepare, name, words):
    prepare(frame)
    assert main(["compare", name]) == 2
    assert_one_line(capsys, f"sklcnn: {name}: ", words)
    assert not Path("sklcnn-compare").exists()


OPTIONS = [
    ("--target nothing", "--target: data.csv has no column 'nothing'; it has 'a', 'b', 'c'"),
    ("--input-shape 2 2", "--input-shape: 2 x 2 makes 4 features, but the data have 6"),
    ("--input-shape 0 6", "--input-shape: 0 is not a positive whole number"),
    ("--input-shape 1 1 1 6", "--input-shape: (1, 1, 1, 6) has more than three sides"),
    ("--input-shape two", "--input-shape: 'two' is not a whole number"),
    ("--patch-size 7", "--patch-size: 7 is larger than the input, 6"),
    ("--patch-size 3 --input-shape 2 3", "--patch-size: 3 is larger than the input, 2 x 3"),
    ("--patch-size 4 --stride 3", "--stride: 3 leaves features of the input, 6, unseen"),
    ("--stride 0", "--stride: 0 is not a positive whole number"),
    ("--sizes 57", "--sizes: 57 training samples are more than the data hold; besides"),
    ("--sizes 1", "--sizes: a training set of 1 cannot hold all 2 classes"),
    ("--sizes -5", "--sizes: -5 is not a positive whole number"),
    ("--sizes", "--sizes: expected at least one argument"),
    ("--repeats 0", "--repeats: 0 is not a positive whole number"),
    ("--seed -1", "--seed: -1 is negative"),
    ("--jobs 0", "--jobs: 0 is not a positive whole number"),
    ("--device abacus", "--device: 'abacus' is not available here"),
    ("--device cuda:99", "--device: 'cuda:99' is not available here"),
    ("--nonsense", "--nonsense"),
    ("--out data.csv", "--out: data.csv: exists and is not a directory"),
    ("--out data.csv/deep", "--out: data.csv/deep: "),
    ("--out .", "--out: .: exists already; --overwrite"),
]


@pytest.mark.parametrize(("options", "words"), OPTIONS, ids=[row[0] for row in OPTIONS])
def test_bad_option_is_named_in_one_line(csv, capsys, options, words):
    assert main(["compare", csv, *options.split()]) == 2
    assert_one_line(capsys, words)
    assert sorted(os.listdir()) == ["data.csv"]


@pytest.mark.skipif(
    not Path("/proc/self").exists(), reason="a place that even root cannot write to"
)
def test_place_that_cannot_be_written_to(csv, capsys):
    assert main(["compare", csv, "--out", "/proc/results"]) == 2
    assert_one_line(capsys, "--out: /proc/results: ")


@pytest.mark.parametrize("option", ["--target=a", "--patch-size=3", "--stride=1"])
def test_geometry_belongs_to_a_file(capsys, option):
    assert main(["compare", option]) == 2
    assert_one_line(capsys, f"{option.split('=')[0]}: needs DATA")


def test_data_after_a_list_of_numbers_is_explained(csv, capsys):
    assert main(["compare", "--sizes", "10", "20", csv]) == 2
    assert_one_line(capsys, "--sizes: 'data.csv' is not a whole number; DATA stands before")


def test_npz_has_no_target(csv, capsys):
    save_npz(X=X3, y=Y3)
    assert main(["compare", "data.npz", "--target", "y"]) == 2
    assert_one_line(capsys, "--target: ")


def test_debug_shows_the_traceback(capsys):
    assert main(["compare", "nowhere.csv", "--debug"]) == 2
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "InvalidInputError" in err
    assert err.splitlines()[-1] == "sklcnn: nowhere.csv: no such file"


def test_fault_of_the_program_is_one_line_too(csv, capsys, monkeypatch):
    def fail(*_):
        raise RuntimeError("no idea\nwhy")

    monkeypatch.setattr(importlib.import_module("sklcnn.studies.compare"), "carry_out", fail)
    assert main(["compare", csv]) == 1
    assert_one_line(capsys, "unexpected RuntimeError: no idea (--debug shows where)")
    assert not Path("sklcnn-compare").exists()


# --- Ctrl-C --------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_folder", [False, True])
@pytest.mark.parametrize("resume", [False, True])
def test_finished_work_is_kept_only_to_go_on(tmp_path, resume, is_folder):
    kept = tmp_path / "kept"
    file = kept / "one.csv" if is_folder else kept
    file.parent.mkdir(exist_ok=True)
    file.write_text("work")
    arguments = Namespace(out=tmp_path, overwrite=False, resume=resume)

    def run(n_jobs, path):
        assert path == kept
        assert file.exists() == resume
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=r"--resume goes on .* in .*kept"):
        resumable(arguments, run, "fits", "kept")(1)
    assert arguments.overwrite == resume


def alive(session):
    """Processes of a session that still run, zombies aside."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, its_session = status.read_text().rpartition(")")[2].split()[:4]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(its_session) == session and state not in "ZX":
            found.append(status.parent.name)
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="lists processes through /proc")
@pytest.mark.parametrize(("stage", "everyone"), [("learning rates", True), ("curves", False)])
def test_interrupt_keeps_finished_fits_and_leaves_no_process(csv, frame, stage, everyone):
    code = "import sys; from sklcnn.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "compare", csv, "--jobs", "2"]
    command += ["--sizes", "20", "--repeats", "50"]
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, start_new_session=True, **pipe) as process:
        said = ""
        while stage not in said:
            said = process.stderr.readline()
            assert said, "ended before it could be interrupted"
        time.sleep(1.0)
        # A terminal sends the signal to all processes in the foreground, kill to one.
        (os.killpg if everyone else os.kill)(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
        session = process.pid
    assert process.returncode == 130
    assert out == ""
    results = pd.read_csv("sklcnn-compare/results.csv")
    assert err == (
        f"sklcnn: interrupted; {len(results)} finished fits are in sklcnn-compare/results.csv\n"
    )
    assert os.listdir("sklcnn-compare") == ["results.csv"]
    assert (len(results) > 0) == (stage == "curves")
    deadline = time.monotonic() + 20
    while alive(session) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not alive(session)
