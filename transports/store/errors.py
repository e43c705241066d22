"""What can be wrong with a database as a whole. Apart from the rest, so that naming it imports no SQL."""

from __future__ import annotations


class StoreError(Exception):
    """The database cannot be used; the text says what to change."""


class NewerDatabaseError(StoreError):
    """The database was written by a newer Transports."""
