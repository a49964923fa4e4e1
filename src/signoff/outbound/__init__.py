"""The only way out for addresses that somebody named: guarded, pinned, limited, and never redirected.

Imported by whoever asks another server for something; imports `domain` only. The client (`sdk`) speaks to the server
that its user chose, and the `server` deployer to a model server of its own machine: they alone do without.
"""

from __future__ import annotations

from signoff.outbound.client import AddressRefusedError, Answer, Outbound

__all__ = ["AddressRefusedError", "Answer", "Outbound"]
