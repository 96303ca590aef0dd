"""What a tenant entrusts: encrypted in the database, opened for its tenant and purpose alone, re-wrapped while in use."""

import asyncio
import os
import re
import subprocess
import sys
from base64 import b64encode
from collections.abc import AsyncIterator
from hashlib import sha256
from os import urandom
from pathlib import Path
from uuid import UUID, uuid4

import pytest

import own_server
from knowlog.bus import Wish, create_webhook, seal_webhooks
from knowlog.bus.settings import WebhooksSettings
from knowlog.bus.webhooks import rotate_secret, secrets_of
from knowlog.cli.doctor.secrets import judge
from knowlog.database import Database, DatabaseSettings, EmbeddedServer, Scope
from knowlog.kernel.errors import Conflict, Invalid, NotFound, Unavailable
from knowlog.settings import load_settings
from knowlog.tenants import (
    INSTALLATION,
    Vault,
    all_wrappings,
    create_tenant,
    delete_tenant,
    give_up_lost,
    list_secrets,
    open_vault,
    read_secret,
    remove_secret,
    require_opening,
    set_secret,
)
from knowlog.tenants.second_factor import use_code

server_dir, database = own_server.server_dir, own_server.database
"""Keys of the whole installation are taken away here."""

CANARY = "sk-canary-6f1c2a94-secret-of-alice"


@pytest.fixture
def vault() -> Vault:
    return Vault([urandom(32)])


@pytest.fixture
async def raw(database: Database) -> AsyncIterator:
    """The database as its owner sees it, across tenants."""
    async with database.owner() as owner:
        await owner.execute("set role knowlog_definer; set search_path = knowlog, public")
        yield owner


@pytest.fixture(autouse=True)
async def _only_ours(raw) -> None:
    """Data keys of other tests are wrapped by keys that are gone."""
    await raw.execute("delete from data_keys; delete from installation_keys; delete from webhooks")


async def entrust(
    database: Database, vault: Vault, scope: Scope, name: str = "openai.key", value: str = CANARY
):
    async with database.transaction(scope) as connection:
        return await set_secret(connection, vault, scope, name, value)


async def value_of(database: Database, vault: Vault, scope: Scope, name: str = "openai.key") -> str:
    async with database.transaction(scope) as connection:
        return await read_secret(connection, vault, name)


async def test_a_secret_is_read_by_its_tenant_alone(database, vault, tenant, other_tenant) -> None:
    """A stranger's vault call finds nothing under the same name."""
    await entrust(database, vault, tenant)
    assert await value_of(database, vault, tenant) == CANARY
    with pytest.raises(NotFound):
        await value_of(database, vault, other_tenant)


async def test_a_list_shows_names_and_hints(database, vault, tenant) -> None:
    """A short secret has no hint: four characters would be much of it."""
    await entrust(database, vault, tenant)
    await entrust(database, vault, tenant, "pin", "1234567")
    async with database.transaction(tenant) as connection:
        found = await list_secrets(connection)
    assert [(each.name, each.hint) for each in found] == [("openai.key", CANARY[-4:]), ("pin", "")]
    assert CANARY not in repr(found)


async def test_a_new_value_replaces_the_old_one(database, vault, tenant) -> None:
    await entrust(database, vault, tenant)
    await entrust(database, vault, tenant, value="another")
    assert await value_of(database, vault, tenant) == "another"


async def test_a_removed_secret_is_gone(database, vault, tenant) -> None:
    await entrust(database, vault, tenant)
    async with database.transaction(tenant) as connection:
        await remove_secret(connection, tenant, "openai.key")
        with pytest.raises(NotFound):
            await remove_secret(connection, tenant, "openai.key")


@pytest.mark.parametrize("name", ["", "A", "../x", "a" * 101, "a b", "é", "a\n"])
async def test_a_name_is_plain(database, vault, tenant, name: str) -> None:
    with pytest.raises(Invalid, match="name"):
        await entrust(database, vault, tenant, name)


@pytest.mark.parametrize("value", ["", "a\0b", "x" * 16_385])
async def test_a_value_is_in_bounds(database, vault, tenant, value: str) -> None:
    with pytest.raises(Invalid):
        await entrust(database, vault, tenant, value=value)


async def test_there_are_not_too_many(database, vault, tenant) -> None:
    """The hundred-and-first is refused, a new value of one that is there is not."""
    for number in range(100):
        await entrust(database, vault, tenant, f"n{number}")
    with pytest.raises(Conflict):
        await entrust(database, vault, tenant, "more")
    await entrust(database, vault, tenant, "n7", "new")


async def test_a_ciphertext_moved_to_another_tenant_does_not_open(
    database, vault, tenant, other_tenant, raw
) -> None:
    """Not even when its data key is moved along."""
    await entrust(database, vault, tenant)
    await entrust(database, vault, other_tenant, value="charlie's own")
    move = "update {0} t set {1} = (select {1} from {0} where tenant_id = $1) where tenant_id = $2"
    await raw.execute(move.format("secrets", "sealed"), tenant.tenant_id, other_tenant.tenant_id)
    with pytest.raises(Unavailable):
        await value_of(database, vault, other_tenant)
    await raw.execute(move.format("data_keys", "wrapped"), tenant.tenant_id, other_tenant.tenant_id)
    with pytest.raises(Unavailable):
        await value_of(database, vault, other_tenant)


async def test_a_ciphertext_moved_to_another_purpose_does_not_open(database, vault, tenant, raw) -> None:
    """Under another name of the same tenant, too."""
    await entrust(database, vault, tenant)
    await entrust(database, vault, tenant, "other", "x")
    await raw.execute(
        "update secrets set sealed = (select sealed from secrets where tenant_id = $1 and name = 'openai.key')"
        " where tenant_id = $1 and name = 'other'", tenant.tenant_id,
    )  # fmt: skip
    with pytest.raises(Unavailable):
        await value_of(database, vault, tenant, "other")


async def test_first_secrets_at_once_share_one_data_key(database, vault, tenant) -> None:
    """Whoever comes second seals with the key of the first."""
    await asyncio.gather(
        *(entrust(database, vault, tenant, f"n{number}", str(number)) for number in range(8))
    )
    found = await asyncio.gather(*(value_of(database, vault, tenant, f"n{number}") for number in range(8)))
    assert found == [str(number) for number in range(8)]


async def test_deleting_a_tenant_destroys_its_data_key(database, vault, raw) -> None:
    """What a backup of its secrets holds opens by nothing afterwards."""
    scope = Scope((await create_tenant(database, "alice")).tenant_id, "key:alice")
    await entrust(database, vault, scope)
    await delete_tenant(database, scope.tenant_id)
    for table in ("data_keys", "secrets"):
        assert await raw.fetchval(f"select count(*) from {table} where tenant_id = $1", scope.tenant_id) == 0


async def test_what_belongs_to_no_tenant_has_a_key_of_its_own(database, vault, tenant) -> None:
    """And no tenant's transaction opens it."""
    async with database.transaction(INSTALLATION) as connection:
        sealed = await vault.seal(connection, "totp:bob", CANARY)
    async with database.transaction(INSTALLATION) as connection:
        assert await vault.open(connection, "totp:bob", sealed) == CANARY
    async with database.transaction(tenant) as connection:
        with pytest.raises(Unavailable):
            await vault.open(connection, "totp:bob", sealed)


async def test_rotation_rewraps_every_key_and_the_old_one_can_go(database, tenant, other_tenant) -> None:
    """With both keys everything opens, before and after; then the new one suffices, and the old one opens nothing."""
    old, new = urandom(32), urandom(32)
    for scope in (tenant, other_tenant, INSTALLATION):
        await entrust_if_tenant(database, Vault([old]), scope)
    both = Vault([new, old])
    assert await value_of(database, both, tenant) == CANARY
    done = await both.rotate(database)
    assert (done.rewrapped, done.left, done.unopened) == (3, 0, 0)
    assert await value_of(database, Vault([new]), tenant) == CANARY
    with pytest.raises(Unavailable):
        await value_of(database, Vault([old]), tenant)


async def entrust_if_tenant(database: Database, vault: Vault, scope: Scope) -> None:
    if scope is INSTALLATION:
        async with database.transaction(scope) as connection:
            await vault.seal(connection, "any", CANARY)
    else:
        await entrust(database, vault, scope)


async def test_rotation_goes_on_where_it_was_stopped(database, tenant, other_tenant) -> None:
    """One key at a time, as if killed in between; what is done twice is done once."""
    old, new = urandom(32), urandom(32)
    for scope in (tenant, other_tenant):
        await entrust(database, Vault([old]), scope)
    both = Vault([new, old])
    assert (await both.rotate(database, most=1)).left == 1
    assert await value_of(database, both, tenant) == await value_of(database, both, other_tenant) == CANARY
    assert (await both.rotate(database, most=1)).left == 0
    assert (await both.rotate(database)).rewrapped == 0


async def test_rotations_at_once_do_no_harm(database, tenant) -> None:
    old, new = urandom(32), urandom(32)
    await entrust(database, Vault([old]), tenant)
    done = await asyncio.gather(*(Vault([new, old]).rotate(database) for _ in range(4)))
    assert sum(each.rewrapped for each in done) == 1
    assert await value_of(database, Vault([new]), tenant) == CANARY


async def test_a_key_that_nobody_has_is_counted_and_left(database, tenant, other_tenant) -> None:
    """The others are re-wrapped all the same."""
    await entrust(database, Vault([urandom(32)]), tenant)
    old, new = urandom(32), urandom(32)
    await entrust(database, Vault([old]), other_tenant)
    done = await Vault([new, old]).rotate(database)
    assert (done.rewrapped, done.left, done.unopened) == (1, 1, 1)


async def make_webhook(database: Database, vault: Vault, scope: Scope) -> tuple[UUID, str]:
    async with database.transaction(scope) as connection:
        wish = Wish("https://example.com/", "", ("*",))
        made, secret = await create_webhook(connection, scope, wish, None, WebhooksSettings(), vault)
    return made.endpoint_id, secret


async def secrets_to_sign_with(
    database: Database, vault: Vault, scope: Scope, endpoint_id: UUID
) -> list[str]:
    async with database.transaction(scope) as connection:
        row = await connection.fetchrow(
            "select sealed, secret, old_sealed, old_secret from webhooks where endpoint_id = $1", endpoint_id
        )
        stored = [(row["sealed"], row["secret"]), (row["old_sealed"], row["old_secret"])]
        return await secrets_of(vault, connection, endpoint_id, stored)


async def test_a_webhook_keeps_its_secret_sealed(database, vault, tenant, raw) -> None:
    endpoint_id, secret = await make_webhook(database, vault, tenant)
    row = await raw.fetchrow("select * from webhooks where endpoint_id = $1", endpoint_id)
    assert secret not in str(dict(row))
    assert await secrets_to_sign_with(database, vault, tenant, endpoint_id) == [secret]


async def test_both_secrets_of_a_webhook_open_after_a_rotation(database, vault, tenant) -> None:
    endpoint_id, first = await make_webhook(database, vault, tenant)
    async with database.transaction(tenant) as connection:
        _, second = await rotate_secret(connection, tenant, endpoint_id, vault)
    assert await secrets_to_sign_with(database, vault, tenant, endpoint_id) == [second, first]


async def in_the_clear(raw, endpoint_id: UUID, secret: str, old: str | None) -> None:
    """As the version before this one stored it."""
    await raw.execute(
        "update webhooks set secret = $2, old_secret = $3, sealed = null, old_sealed = null where endpoint_id = $1",
        endpoint_id, secret, old,
    )  # fmt: skip


async def test_secrets_stored_in_the_clear_serve_until_they_are_sealed(database, vault, tenant, raw) -> None:
    """Sealed one by one, so that a kill in between leaves each whole; afterwards nothing is left in the clear."""
    made = [(await make_webhook(database, vault, tenant))[0] for _ in range(3)]
    for number, endpoint_id in enumerate(made):
        await in_the_clear(raw, endpoint_id, f"whsec_{number}", "whsec_old" if number else None)
    assert await secrets_to_sign_with(database, vault, tenant, made[1]) == ["whsec_1", "whsec_old"]
    assert await seal_webhooks(database, vault, most=1) == 1
    assert await raw.fetchval("select count(*) from webhooks where secret is not null") == 2
    assert [await seal_webhooks(database, vault) for _ in range(2)] == [2, 0]
    assert (
        await raw.fetchval("select count(*) from webhooks where secret is not null or old_secret is not null")
        == 0
    )
    assert await secrets_to_sign_with(database, vault, tenant, made[1]) == ["whsec_1", "whsec_old"]
    assert await secrets_to_sign_with(database, vault, tenant, made[0]) == ["whsec_0"]


async def test_a_rotation_seals_what_is_in_the_clear(database, vault, tenant, raw) -> None:
    """The old secret goes on signing."""
    endpoint_id, _ = await make_webhook(database, vault, tenant)
    await in_the_clear(raw, endpoint_id, "whsec_clear", None)
    async with database.transaction(tenant) as connection:
        _, second = await rotate_secret(connection, tenant, endpoint_id, vault)
    assert await secrets_to_sign_with(database, vault, tenant, endpoint_id) == [second, "whsec_clear"]


async def health(database: Database) -> list:
    async with database.system() as connection:
        return await connection.fetch("select * from secret_health()")


async def test_doctor_tells_what_the_keys_open(database, tenant, raw) -> None:
    """Nothing stored, all in order, wrapped by an old key, wrapped by a key that is missing, in the clear."""
    old, new = urandom(32), urandom(32)
    assert judge(await health(database), Vault([old])).found == "nothing is stored yet"
    await entrust(database, Vault([old]), tenant)
    assert judge(await health(database), Vault([old])).outcome == "ok"
    assert judge(await health(database), Vault([new, old])).mend == "Run `knowlog secrets rotate`."
    assert judge(await health(database), Vault([new])).outcome == "fail"
    endpoint_id, _ = await make_webhook(database, Vault([old]), tenant)
    await in_the_clear(raw, endpoint_id, "whsec_clear", None)
    assert "in the clear" in judge(await health(database), Vault([old])).found


@pytest.mark.parametrize("command", ["up", "serve", "worker"])
async def test_a_lost_key_is_told_at_the_start_and_not_replaced(
    database, vault, tenant, server_dir: Path, tmp_path: Path, command: str
) -> None:
    """Under a new one, what alice entrusted would stay shut, and nobody would notice before it is needed."""
    await entrust(database, vault, tenant)
    url = EmbeddedServer(server_dir, DatabaseSettings()).url("postgres")
    environ = {
        **os.environ, "KNOWLOG_DATA_DIR": str(tmp_path), "KNOWLOG_DATABASE_URL": url, "KNOWLOG_API_PORT": "0",
        "KNOWLOG_EMBEDDING_MODEL": "fake", "KNOWLOG_SECRETS_KEY": b64encode(urandom(32)).decode(),
    }  # fmt: skip
    if command == "up":
        del environ["KNOWLOG_SECRETS_KEY"]
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-m", "knowlog", command],
        env=environ, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "put the file secrets.key back" in " ".join(done.stderr.split())
    assert "docs/guide/lost-key.md" in done.stderr
    assert not (tmp_path / "secrets.key").exists()


GUIDE = Path(__file__).parents[3] / "docs" / "guide" / "lost-key.md"


async def test_a_key_that_is_lost_for_good_is_given_up_as_the_guide_says(
    database, vault, tenant, other_tenant, raw, server_dir: Path, tmp_path: Path
) -> None:
    """Its block is run as it stands. What was sealed is gone, webhooks say why they rest, and new secrets are kept."""
    await entrust(database, vault, tenant)
    await make_webhook(database, vault, tenant)
    block = re.search(
        r"<!-- executed by tests/integration/tenants/test_secrets.py -->\n```bash\n(.*?)```",
        GUIDE.read_text(),
        re.S,
    )
    assert block
    url = EmbeddedServer(server_dir, DatabaseSettings()).url("postgres")
    environ = {
        **os.environ, "KNOWLOG_DATA_DIR": str(tmp_path), "KNOWLOG_DATABASE_URL": url,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }  # fmt: skip
    done = await asyncio.to_thread(
        subprocess.run, ["bash", "-euc", block[1]], env=environ, capture_output=True, text=True, timeout=60, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "webhooks 1" in " ".join(done.stdout.split())
    new = open_vault(load_settings({}).secrets, tmp_path, here=False)
    require_opening(new, await all_wrappings(database))
    await entrust(database, new, tenant, "another")
    async with database.transaction(tenant) as connection:
        assert [each.name for each in await list_secrets(connection)] == ["another"]
    row = await raw.fetchrow("select state, reason, sealed from webhooks")
    assert (row["state"], "rotate" in row["reason"], row["sealed"]) == ("disabled", True, None)


async def test_what_the_present_key_opens_is_not_given_up(database, vault, tenant, other_tenant) -> None:
    """Of two tenants, the one whose key is there keeps everything."""
    await entrust(database, vault, tenant)
    await entrust(database, Vault([urandom(32)]), other_tenant)
    given_up = await give_up_lost(database, vault)
    assert (given_up["secrets"], given_up["data_keys"]) == (1, 1)
    assert await value_of(database, vault, tenant) == CANARY


async def test_a_second_factor_whose_secret_is_lost_is_passed_by_a_recovery_code(
    database, vault, raw
) -> None:
    """Once; a code of an app opens nothing, and nothing fails."""
    person, code = uuid4(), "recovery-code"
    await raw.execute(
        "insert into people (person_id, email, totp_since, recovery_hashes) values ($1, $2, now(), $3)",
        person, f"{person}@example.com", [sha256(b"recoverycode").digest()],
    )  # fmt: skip
    async with database.transaction(INSTALLATION) as connection:
        assert not await use_code(connection, vault, person, "123456")
        assert await use_code(connection, vault, person, code)
        assert not await use_code(connection, vault, person, code)
