"""Who is at the page and what they may do.

Without a sign-in file there is one local user, who may do everything. On a shared server ``theracode app --sign-in FILE``
names a TOML file with the OpenID Connect provider (``[auth]``, as Streamlit's own ``st.login`` reads it) and with who has
which role (``[roles]``). The file is read at every step, so a role that is taken away is gone at once; if it cannot be read,
nobody gets in.
"""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import streamlit as st

from lexicon.errors import InputError, TheracodeError

ENVIRONMENT = "THERACODE_SIGN_IN"
Role = Literal["clinician", "coder", "admin"]
Right = Literal["suggest", "audit", "explore", "review", "benchmark", "import", "sign-off", "override", "export", "manage"]

_CLINICIAN: frozenset[Right] = frozenset({"suggest", "audit", "explore"})
_CODER: frozenset[Right] = _CLINICIAN | {"review", "benchmark", "import", "sign-off", "override"}
_ADMIN: frozenset[Right] = _CODER | {"export", "manage"}
RIGHTS: dict[Role, frozenset[Right]] = {"clinician": _CLINICIAN, "coder": _CODER, "admin": _ADMIN}

_NEEDED = ("redirect_uri", "cookie_secret", "client_id", "client_secret", "server_metadata_url")
_SECRET = 32  # characters that a cookie secret must have
_HERE = ("localhost", "127.0.0.1")


class RightError(TheracodeError):
    """The person at the page may not do this."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody at the page. ``name`` is empty for the local user, who says it; ``role`` is None for who has none."""

    name: str
    role: Role | None
    local: bool = False

    def may(self, right: Right) -> bool:
        """Whether the person has a right."""
        return self.role is not None and right in RIGHTS[self.role]


LOCAL = Person("", "admin", local=True)
NOBODY = Person("", None)


@dataclass(frozen=True, slots=True)
class SignIn:
    """A sign-in file. ``claim`` names the claim of the provider that ``members`` lists the values of, for each role."""

    address: str
    claim: str
    members: Mapping[Role, frozenset[str]]

    def person(self, claims: Mapping[str, Any]) -> Person:
        """The person whom the provider's claims describe, with the highest role that is theirs.

        An e-mail address counts only if the provider says that it has verified it.
        """
        verified = claims.get("email_verified") in (True, "true")
        email = str(claims.get("email") or "").casefold() if verified else ""
        given = email if self.claim == "email" else claims.get(self.claim)
        values = {str(value) for value in (given if isinstance(given, list) else [given]) if value}
        role = next((role for role in reversed(RIGHTS) if values & self.members[role]), None)
        return Person(email or str(claims.get("sub") or ""), role)


def read_sign_in(path: Path) -> SignIn:
    """Read and check a sign-in file.

    Raises
    ------
    InputError
        If it cannot be read, other accounts may read it, or something in it is missing or unsafe.
    """
    name = path.name
    try:
        if os.name == "posix" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise InputError(f"{name} holds secrets and other accounts may read it; allow it to its owner alone: chmod 600")
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"the sign-in file {name} cannot be read ({type(error).__name__})") from None
    auth, roles = content.get("auth"), content.get("roles")
    if not isinstance(auth, dict) or not isinstance(roles, dict):
        raise InputError(f"{name} needs the sections [auth] and [roles]")
    missing = [key for key in _NEEDED if not isinstance(auth.get(key), str) or not auth[key]]
    if missing:
        raise InputError(f"{name} lacks {', '.join(missing)} in [auth]")
    if len(auth["cookie_secret"]) < _SECRET:
        raise InputError(f"the cookie_secret of {name} is too short; give it at least {_SECRET} random characters")
    for key in ("redirect_uri", "server_metadata_url"):
        parts = urlsplit(auth[key])
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _HERE):
            raise InputError(f"the {key} of {name} must begin with https://")
    if not auth["redirect_uri"].endswith("/oauth2callback"):
        raise InputError(f"the redirect_uri of {name} must end with /oauth2callback")
    unknown = set(roles) - {"claim", *RIGHTS}
    lists = {role: roles.get(role, []) for role in RIGHTS}
    if unknown or not all(isinstance(names, list) and all(isinstance(n, str) for n in names) for names in lists.values()):
        raise InputError(f"[roles] of {name} takes claim and the lists {', '.join(RIGHTS)}, nothing else")
    claim = str(roles.get("claim", "email"))
    members = {role: frozenset(n.casefold() if claim == "email" else n for n in names if n) for role, names in lists.items()}
    return SignIn(urlsplit(auth["redirect_uri"]).hostname or "", claim, members)


def person() -> Person:
    """Who is at the page now.

    Raises
    ------
    InputError
        If the server has a sign-in file that cannot be used; nobody gets in then.
    """
    file = os.environ.get(ENVIRONMENT)
    if not file:
        return LOCAL
    sign_in = read_sign_in(Path(file))
    claims = st.user.to_dict()
    return sign_in.person(claims) if claims.get("is_logged_in") is True else NOBODY


def require(right: Right) -> Person:
    """The person at the page, if they have a right.

    Raises
    ------
    RightError
        If they have not.
    """
    found = person()
    if not found.may(right):
        raise RightError(f"your role does not allow this ({right})")
    return found
