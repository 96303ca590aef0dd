"""What tenants, keys, members and groups may be called, and which roles there are."""

from typing import get_args
from uuid import UUID

from knowlog.kernel.errors import Invalid
from knowlog.tenants.model import ROLES, KeyRole, Role


def clean_name(name: str) -> str:
    """Return the name without outer blanks. Raises Invalid when it is empty, too long or not printable."""
    name = name.strip()
    if not 1 <= len(name) <= 200 or not name.isprintable():
        raise Invalid("A name has 1 to 200 printable characters.")
    return name


def name_in_addresses(name: str) -> str:
    """Return a name that may stand in an address, where an id could too. Raises Invalid for one that looks like an id."""
    name = clean_name(name)
    if name in (".", "..") or set(name) & set("/\\?#%"):
        raise Invalid("This name stands in addresses: it has none of / \\ ? # % and is not . or ..")
    try:
        UUID(name)
    except ValueError:
        return name
    raise Invalid("A name must not be an id. Choose words.")


def known_role(role: Role) -> Role:
    """Return the role. Raises Invalid for one that there is not."""
    if role not in ROLES:
        raise Invalid(f"There is no role {role}. Choose one of {', '.join(ROLES)}.")
    return role


def known_key_role(role: KeyRole) -> KeyRole:
    """Return the role of a key. Raises Invalid for one that there is not."""
    if role not in get_args(KeyRole):
        raise Invalid(f"There is no role {role}. Choose one of {', '.join(get_args(KeyRole))}.")
    return role
