"""Deployers put approved versions into environments: `server` serves, `alias` names, `memory` is the double."""
