"""A rehearsal proves that a standby would serve: ``steps`` is its list, ``stage`` the program in which the operator's probe runs,
``walls`` what that may ask of the kernel. The two programs are executed and import nothing else of ours."""
