"""What docs/security says is checked: requirements are all there, tests they name exist, and what no source may do."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ASVS = ROOT / "docs" / "security" / "asvs.md"
ROWS = re.findall(r"^\| V(\d+\.\d+\.\d+) \| ([12]) \| ([^|]+) \| (.*) \|$", ASVS.read_text(), re.M)
COUNTS = (27, 11, 19, 10, 9, 35, 18, 7, 7, 29, 14, 9, 13, 9, 13, 16, 7)
BY_CHAPTER = dict(enumerate(COUNTS, 1))
"""How many requirements of levels 1 and 2 each chapter of the standard has, version 5.0.0."""
CONSTANT = re.compile(r"""r?f?(['"]).*\1|_[A-Z_]+\.pattern""", re.S)
PAGE = {path.name: path.read_text() for path in sorted((ROOT / "web/src").rglob("*.*"))}


@cache
def sources() -> dict[Path, str]:
    """Every source of ours, read once."""
    return {path: path.read_text() for path in sorted((ROOT / "src").rglob("*.py"))}


@cache
def nodes() -> list[tuple[Path, ast.Call | ast.Import | ast.ImportFrom]]:
    """What calls and imports in the sources, parsed once."""
    kinds = (ast.Call, ast.Import, ast.ImportFrom)
    return [
        (path, each)
        for path, text in sources().items()
        for each in ast.walk(ast.parse(text))
        if isinstance(each, kinds)
    ]


def named_tests(evidence: str) -> list[tuple[str, str]]:
    """The (file, function) of each test that a row names."""
    return re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", evidence)


def test_every_requirement_of_levels_1_and_2_is_there() -> None:
    """253, each once, and in every chapter as many as the standard has."""
    numbers = [number for number, *_ in ROWS]
    assert len(numbers) == len(set(numbers)) == 253
    assert Counter(level for _, level, *_ in ROWS) == {"1": 70, "2": 183}
    assert Counter(int(number.split(".")[0]) for number in numbers) == BY_CHAPTER


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"V{row[0]}")
def test_a_requirement_that_holds_names_a_test_that_exists(row: tuple[str, str, str, str]) -> None:
    """Or the page that it asks for. What does not hold says so."""
    number, _, state, evidence = row
    named, pages = named_tests(evidence), re.findall(r"\]\(([^)]+\.md)", evidence)
    for file, function in named:
        assert f"def {function}(" in (ROOT / file).read_text(), f"V{number}: {file}::{function}"
    for page in pages:
        assert (ASVS.parent / page).exists(), page
    assert state in {"holds", "in part", "does not hold", "operator's", "not there"}
    assert state != "holds" or named or pages, f"V{number} holds, and nothing shows it"


def test_the_counts_at_the_head_are_those_of_the_rows() -> None:
    """A reader who stops there is told the truth."""
    states = "holds|in part|does not hold|operator's|not there"
    told = dict(re.findall(rf"^\| ({states}) \| .* \| (\d+) \|$", ASVS.read_text(), re.M))
    assert {state: int(count) for state, count in told.items()} == Counter(state for _, _, state, _ in ROWS)


@cache
def calls() -> list[tuple[Path, ast.Call, str]]:
    """Every call in the sources, with the dotted name of what is called."""
    return [(path, node, ast.unparse(node.func)) for path, node in nodes() if isinstance(node, ast.Call)]


def imports() -> Iterator[tuple[Path, str]]:
    """Every module that a source imports."""
    for path, node in nodes():
        if isinstance(node, ast.Import):
            yield from ((path, each.name) for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield path, node.module


def test_nothing_is_evaluated() -> None:
    """No eval, exec, pickle, marshal, shelve or yaml: what is sent is data. No template engine."""
    forbidden = {"eval", "exec", "compile", "__import__"}
    assert [(path.name, name) for path, _, name in calls() if name in forbidden] == []
    modules = {"pickle", "marshal", "shelve", "yaml", "jinja2", "mako", "dill", "jsonpickle"}
    assert [(path.name, name) for path, name in imports() if name.split(".")[0] in modules] == []


def test_no_shell_is_started() -> None:
    """Programs are started with a list of arguments."""
    shells = {"os.system", "os.popen", "asyncio.create_subprocess_shell", "subprocess.getoutput"}
    assert [(path.name, name) for path, _, name in calls() if name in shells] == []
    assert [path.name for path, call, _ in calls() for each in call.keywords if each.arg == "shell"] == []


def test_the_page_shows_what_is_sent_as_text() -> None:
    """Nothing of what the server answers becomes markup or script, and no other window is listened to."""
    markup = (
        r"\{@html|innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|\(\"message\""
    )
    assert [name for name, text in PAGE.items() if re.search(markup, text)] == []


def test_passwords_are_typed_unseen_and_may_be_pasted() -> None:
    """Each field for a password hides what is typed and says what it is for; none hinders pasting."""
    fields = [
        (name, field)
        for name, text in PAGE.items()
        for field in re.findall(r"<input[^>]*(?:password|present|next)\}[^>]*>", text)
    ]
    assert len(fields) >= 5
    assert [
        each for each in fields if 'type="password"' not in each[1] or "autocomplete=" not in each[1]
    ] == []
    assert [name for name, text in PAGE.items() if "onpaste" in text] == []


def test_no_pattern_is_built_of_what_is_sent() -> None:
    """Regular expressions are constants, or quote what they are made of, but where a constant is filled in."""
    made = [
        (path.relative_to(ROOT / "src").as_posix(), ast.unparse(call.args[0]))
        for path, call, name in calls()
        if name in {"re.compile", "re.search", "re.match", "re.fullmatch", "re.sub", "re.findall", "re.split"}
        and not isinstance(call.args[0], ast.Constant)
    ]
    built = [each for each in made if "re.escape" not in each[1] and not each[1].lstrip("_").isupper()]
    tables = {  # go through tables of constants
        ("knowlog/formats/pdf.py", "pattern"),
        ("knowlog/retrieval/injection.py", "pattern"),
    }
    assert {each for each in built if not CONSTANT.fullmatch(each[1])} - tables == set()


def test_secrets_come_from_the_systems_generator() -> None:
    """`random` times and samples, in these files alone; whatever must not be guessed comes from `secrets`."""
    using = {
        path.relative_to(ROOT / "src/knowlog").as_posix() for path, name in imports() if name == "random"
    }
    assert {
        place for place in using if not place.startswith(("cli/bench/", "workers/", "bus/", "resilience/"))
    } == set()


def test_cryptography_is_others() -> None:
    """Hashes, signatures and ciphers are the standard library's and those of kept libraries; none is broken."""
    weak = {"hashlib.md5", "hashlib.sha1"}
    others_form = {
        "passwords.py",
        "second_factor.py",
    }  # lists of breached passwords and RFC 6238 are in SHA-1
    used = [(path.name, name) for path, _, name in calls() if name in weak]
    assert [each for each in used if each[0] not in others_form or "md5" in each[1]] == []
    weak_modules = ("Crypto", "Cryptodome", "rsa", "ecdsa", "jose")
    assert [(path.name, name) for path, name in imports() if name.split(".")[0] in weak_modules] == []
    text = "\n".join(sources().values())
    assert not re.search(r"modes\.(ECB|CBC)|PKCS1v15\(\)|TripleDES|ARC4|Blowfish", text)


def test_certificates_are_always_checked() -> None:
    """No client is told to trust whoever answers."""
    checks = {"verify", "verify_ssl", "check_hostname"}
    told = [(path.name, each) for path, call, _ in calls() for each in call.keywords if each.arg in checks]
    assert [name for name, each in told if ast.unparse(each.value) == "False"] == []
    assert [
        path.name
        for path, text in sources().items()
        if re.search("CERT_NONE|_create_unverified_context", text)
    ] == []


def test_no_folder_is_served() -> None:
    """Neither files nor listings: the one page's parts are named one by one."""
    served = {"StaticFiles", "Mount", "Jinja2Templates"}
    assert [(path.name, name) for path, _, name in calls() if name.split(".")[-1] in served] == []
