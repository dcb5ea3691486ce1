"""Starts Streamlit without its habit of asking another host for the public address of this machine.

Streamlit does so when a request names an origin that it does not know, to see whether that is the machine itself. Here such an
origin is simply refused.
"""

from __future__ import annotations

from streamlit import net_util
from streamlit.web import cli


def _unknown() -> None:
    return None


def stay_local() -> None:
    """Replace the look-up by one that knows nothing."""
    net_util.get_external_ip = _unknown


if __name__ == "__main__":
    stay_local()
    cli.main(prog_name="streamlit")
