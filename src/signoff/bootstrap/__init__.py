"""Composition root: Settings in, wired parts out. The only importer of adapters."""

from signoff.bootstrap.logs import configure_logs
from signoff.bootstrap.people import read_administration
from signoff.bootstrap.wiring import migrate, stop_machine, wire_desk, wire_machinery
from signoff.bootstrap.work import work

__all__ = ["configure_logs", "migrate", "read_administration", "stop_machine", "wire_desk", "wire_machinery", "work"]
