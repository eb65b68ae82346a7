"""The stream over gRPC and mutual TLS. The only package that knows gRPC.

``codec`` messages and protobuf; ``tls`` who we are and who the other is; ``client`` the way out (a
``stream.sending.link.Transport``), ``probe`` why it fails; ``server`` the way in. ``wire`` is generated from ``protos/``.
"""

import os

# gRPC writes failed handshakes of strangers to stderr by itself; what matters of them reaches our own log.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
