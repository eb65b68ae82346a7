"""Generated from protos/hikae/v1 by protos/generate.py: do not edit."""
