"""Hosts as an operator names them in a setting."""

import re

_HOST = re.compile(r"[a-z0-9._:-]+")


def known_hosts(hosts: frozenset[str]) -> frozenset[str]:
    """Return the hosts as they are compared, in small letters. Raises ValueError for what cannot be a host: nobody would
    ever be let to it, and nobody told why.
    """
    lowered = frozenset(host.lower() for host in hosts)
    for host in sorted(lowered):
        if not _HOST.fullmatch(host):
            raise ValueError(
                f"names {host!r}, which is no host. Write names or addresses, as mail.internal or 10.0.0.7:8080, with"
                " commas between them"
            )
    return lowered
