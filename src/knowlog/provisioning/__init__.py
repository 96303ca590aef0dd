"""Provisioning: an identity provider keeps the tenant's members and groups, by SCIM 2.0.

The library of the protocol is loaded with this room: import it where a request is answered.
"""

from knowlog.provisioning.actions import Answered, Asked, answer

__all__ = ["Answered", "Asked", "answer"]
