"""The stream over gRPC and mutual TLS. The only package that knows gRPC.

``codec`` messages and protobuf; ``tls`` who we are and who the other is; ``client`` the way out (a
``stream.link.Transport``), ``probe`` why it fails; ``server`` the way in. ``wire`` is generated from ``protos/``.
"""
