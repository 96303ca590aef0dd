"""What the page ships comes under permissive licences."""

import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

WEB = Path(__file__).parents[2] / "web"


@pytest.fixture(scope="module")
def licences() -> ModuleType:
    """web/licences.py, which is in no package."""
    spec = spec_from_file_location("licences", WEB / "licences.py")
    assert spec is not None
    assert spec.loader is not None
    made = module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@pytest.mark.parametrize(
    ("place", "package", "wrong"),
    [
        ("node_modules/plots", {"license": "GPL-3.0"}, True),
        ("node_modules/plots", {"license": "(MIT OR GPL-3.0)"}, True),
        ("node_modules/plots", {}, True),
        ("node_modules/a/node_modules/lightningcssx", {"license": "MPL-2.0"}, True),
        ("node_modules/lightningcss-linux-x64-gnu", {"license": "MPL-2.0"}, False),
        ("node_modules/axe-core", {"license": "MPL-2.0", "dev": True}, False),
        ("node_modules/plots", {"license": "ISC"}, False),
    ],
)
def test_a_licence_that_will_not_do_is_told(
    licences: ModuleType, place: str, package: dict[str, object], wrong: bool
) -> None:
    assert bool([*licences.wrong_in_lock({"packages": {place: package}})]) == wrong


def test_what_is_in_the_files_is_held_to_more_than_what_builds_them(licences: ModuleType) -> None:
    """There, nothing is exempt; and a list that names nothing is none."""
    assert [*licences.wrong_in_files("## svelte - 5.0.0 (MIT)\n")] == []
    for listed in ("## lightningcss - 1.0 (MPL-2.0)\n", "## a - 1 (AGPL-3.0)\n", "# Licenses\n"):
        assert len([*licences.wrong_in_files(listed)]) == 1


def test_the_lock_file_names_nothing_else(licences: ModuleType) -> None:
    lock = json.loads((WEB / "package-lock.json").read_text())
    assert len(lock["packages"]) > 50
    assert [*licences.wrong_in_lock(lock)] == []
