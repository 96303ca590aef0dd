"""Settings are read strictly, once."""

from pathlib import Path

import pytest

from knowlog.kernel.errors import Misconfigured
from knowlog.settings import ROOMS, describe, load_settings


def test_a_variable_sets_its_field() -> None:
    """KNOWLOG_<ROOM>_<FIELD> reaches the room's field, with its type."""
    settings = load_settings({"KNOWLOG_WORKER_BATCH": "7"})
    assert settings.worker.batch == 7


def test_an_unknown_name_is_an_error_with_a_hint() -> None:
    """A misspelt setting is not ignored."""
    with pytest.raises(Misconfigured, match="Did you mean KNOWLOG_WORKER_BATCH"):
        load_settings({"KNOWLOG_WORKER_BACTH": "7"})


def test_a_name_like_no_setting_gets_no_guess() -> None:
    """What all names begin with makes none of them alike: the hint was KNOWLOG_MAIL_SENDER."""
    with pytest.raises(Misconfigured, match="`knowlog config` lists them all"):
        load_settings({"KNOWLOG_NONSENSE": "1"})


@pytest.mark.parametrize(("wrong", "meant"), [
    ("KNOWLOG_SECRET_KEY_FILE", "KNOWLOG_SECRETS_KEY_FILE"), ("KNOWLOG_EMBEDDNG_FILE", "KNOWLOG_EMBEDDING_FILE"),
    ("KNOWLOG_KEY_FILE", "KNOWLOG_KEY"),
])  # fmt: skip
def test_the_hint_for_a_file_is_one_for_a_file(wrong: str, meant: str) -> None:
    """Or the name of the file would be taken for the secret. The command line's own variables come from no file."""
    with pytest.raises(Misconfigured, match=f"Did you mean {meant}\\?"):
        load_settings({wrong: "/run/secrets/it"})


def test_a_secret_can_lie_in_a_file(tmp_path: Path) -> None:
    """_FILE names a file that holds the value."""
    (tmp_path / "url").write_text("postgresql://u:p@h/d\n")
    settings = load_settings({"KNOWLOG_DATABASE_URL_FILE": str(tmp_path / "url")})
    assert settings.database.url.get_secret_value() == "postgresql://u:p@h/d"


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """The sentence names the variable and the file."""
    with pytest.raises(Misconfigured, match="KNOWLOG_DATABASE_URL_FILE"):
        load_settings({"KNOWLOG_DATABASE_URL_FILE": str(tmp_path / "absent")})


def test_a_value_out_of_range_names_its_variable() -> None:
    """The sentence says which variable is wrong and why."""
    with pytest.raises(Misconfigured, match=r"KNOWLOG_WORKER_BATCH must be at least 1\."):
        load_settings({"KNOWLOG_WORKER_BATCH": "0"})


def test_secrets_are_masked_when_shown() -> None:
    """`knowlog config` shows where a secret came from, never the secret."""
    shown = describe(load_settings({"KNOWLOG_DATABASE_URL": "postgresql://u:hunter2@h/d"}))
    assert "hunter2" not in str(shown)


@pytest.mark.parametrize("room", ROOMS)
def test_every_setting_has_a_meaning(room: str) -> None:
    """Each field carries the sentence that the documentation shows."""
    for name, field in ROOMS[room].model_fields.items():
        assert (field.description or "").endswith("."), f"{room}.{name}"


def test_the_folder_that_make_run_made_is_found(tmp_path: Path, monkeypatch) -> None:
    """Beside a .knowlog the command line speaks to that installation; KNOWLOG_DATA_DIR goes before it."""
    monkeypatch.chdir(tmp_path)
    assert load_settings({"XDG_DATA_HOME": "/x"}).data_dir == Path("/x/knowlog")
    (tmp_path / ".knowlog").mkdir()
    assert load_settings({"XDG_DATA_HOME": "/x"}).data_dir == tmp_path / ".knowlog"
    assert load_settings({"KNOWLOG_DATA_DIR": "/y"}).data_dir == Path("/y")


STRONG = "8J3vYtPz1mLq0bWc9sXeRfUgHiKjNoTa2Q4="


@pytest.mark.parametrize(
    "exposed",
    [{"KNOWLOG_API_HOST": "0.0.0.0"}, {"KNOWLOG_API_PUBLIC_URL": "https://kl.example"},
     {"KNOWLOG_API_TRUSTED_PROXIES": "127.0.0.1"}, {"KNOWLOG_API_BASE_DOMAIN": "kl.example"}],
)  # fmt: skip
def test_weak_secrets_are_refused_where_others_reach_the_server(exposed: dict[str, str]) -> None:
    """Neither a short operator key nor a password that everybody tries; strong ones pass."""
    with pytest.raises(Misconfigured, match="KNOWLOG_API_OPERATOR_KEY has fewer than 32 characters"):
        load_settings({"KNOWLOG_API_OPERATOR_KEY": "a-key-of-20-characters", **exposed})
    with pytest.raises(Misconfigured, match="KNOWLOG_DATABASE_URL has a password that everybody tries"):
        load_settings({"KNOWLOG_DATABASE_URL": "postgresql://a:postgres@db/x", **exposed})
    with pytest.raises(Misconfigured, match="KNOWLOG_BUS_URL has a password"):
        load_settings(
            {"KNOWLOG_BUS_BROKER": "rabbitmq", "KNOWLOG_BUS_URL": "amqp://guest:guest@mq/", **exposed}
        )
    load_settings({"KNOWLOG_API_OPERATOR_KEY": STRONG, **exposed})


def test_on_this_machine_alone_weak_secrets_will_do() -> None:
    """Development needs no ceremony."""
    key = load_settings({"KNOWLOG_API_OPERATOR_KEY": "a-key-of-20-characters"}).api.operator_key
    assert key is not None
    assert key.get_secret_value() == "a-key-of-20-characters"


@pytest.mark.parametrize(
    ("given", "said"),
    [({"KNOWLOG_API_TENANT_HINTS": "subdomain"}, "KNOWLOG_API_BASE_DOMAIN must be set"),
     ({"KNOWLOG_API_TENANT_HINTS": "cookie"}, "must be one of"),
     ({"KNOWLOG_API_TRUSTED_PROXIES": "proxy.example"}, "does not appear to be an IPv4 or IPv6 network"),
     ({"KNOWLOG_API_TLS_CERTIFICATE": "/cert.pem"}, "given both or not at all")],
)  # fmt: skip
def test_settings_of_the_edge_that_cannot_be_are_refused(given: dict[str, str], said: str) -> None:
    """In words that name what to change."""
    with pytest.raises(Misconfigured, match=said):
        load_settings(given)


def test_a_list_of_commas_alone_is_told() -> None:
    """It would otherwise mean the default, which for queues is all of them."""
    with pytest.raises(Misconfigured, match="KNOWLOG_WORKER_QUEUES names nothing"):
        load_settings({"KNOWLOG_WORKER_QUEUES": " , "})
    assert load_settings({"KNOWLOG_WORKER_QUEUES": ""}).worker.queues == frozenset()


_HOSTS = [
    "WEBHOOKS_PRIVATE_HOSTS",
    "LLM_PRIVATE_HOSTS",
    "API_FETCH_PRIVATE_HOSTS",
    "API_SIGN_ON_PRIVATE_HOSTS",
]


@pytest.mark.parametrize("name", _HOSTS)
@pytest.mark.parametrize(
    "value", ['["10.0.0.7:8080"]', "http://mail.internal", "mail internal", "mail.internal/x"]
)
def test_what_is_no_host_is_refused(name: str, value: str) -> None:
    """It was taken, and let nobody to anything."""
    with pytest.raises(Misconfigured, match=rf"KNOWLOG_{name} names '.*', which is no host\. Write names"):
        load_settings({f"KNOWLOG_{name}": value})


def test_hosts_are_known_in_capitals_too() -> None:
    """As they are written in an address."""
    settings = load_settings({"KNOWLOG_WEBHOOKS_PRIVATE_HOSTS": "Mail.Internal:8080, 10.0.0.7"})
    assert settings.webhooks.private_hosts == {"mail.internal:8080", "10.0.0.7"}
