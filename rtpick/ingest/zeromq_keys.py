"""CURVE keys of ZeroMQ sockets, from certificate files; they never appear in a message."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import zmq
import zmq.auth

from rtpick.vocabulary.errors import AuthenticationError


def load_public_key(path: Path) -> bytes:
    """Read the public key of a certificate.

    Raises
    ------
    AuthenticationError
        If there is none.
    """
    return _load(path)[0]


def load_key_pair(path: Path) -> tuple[bytes, bytes]:
    """Read the public and the secret key of a certificate.

    Raises
    ------
    AuthenticationError
        If either is missing.
    """
    public, secret = _load(path)
    if secret is None:
        raise AuthenticationError(f"{path} holds no secret key: name the file that ends in .key_secret")
    return public, secret


def _load(path: Path) -> tuple[bytes, bytes | None]:
    try:
        public, secret = zmq.auth.load_certificate(path)
    except (OSError, ValueError) as error:
        detail = f"{path} is no certificate of ZeroMQ; make one with zmq.auth.create_certificates"
        raise AuthenticationError(detail) from error
    return public, secret


def use_client_keys(socket: zmq.Socket[Any], server_file: Path | None, own_file: Path | None) -> None:
    """Let a socket trust one server only; without a pair of its own it makes one for this connection.

    Raises
    ------
    AuthenticationError
        If a file cannot be used, or an own key is named without the server's.
    """
    if server_file is None:
        if own_file is not None:
            raise AuthenticationError("curve_key_file is set: name curve_server_key_file too")
        return
    socket.curve_serverkey = load_public_key(server_file)
    pair = load_key_pair(own_file) if own_file else zmq.curve_keypair()
    socket.curve_publickey, socket.curve_secretkey = pair


def use_server_keys(socket: zmq.Socket[Any], own_file: Path) -> None:
    """Let a socket admit only who knows its public key.

    Raises
    ------
    AuthenticationError
        If the file cannot be used.
    """
    socket.curve_publickey, socket.curve_secretkey = load_key_pair(own_file)
    socket.curve_server = True
