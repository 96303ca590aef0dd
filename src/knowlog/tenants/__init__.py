"""Tenants, their keys, and who is calling."""

from knowlog.tenants.actions import (
    authenticate,
    clean_name,
    create_key,
    create_tenant,
    create_tenant_once,
    delete_tenant,
    get_key,
    get_tenant,
    list_keys,
    list_tenants,
    operator_principal,
    revoke_key,
    set_weight,
)
from knowlog.tenants.model import ROLES, Key, Principal, Role, Tenant

__all__ = [
    "ROLES",
    "Key",
    "Principal",
    "Role",
    "Tenant",
    "authenticate",
    "clean_name",
    "create_key",
    "create_tenant",
    "create_tenant_once",
    "delete_tenant",
    "get_key",
    "get_tenant",
    "list_keys",
    "list_tenants",
    "operator_principal",
    "revoke_key",
    "set_weight",
]
