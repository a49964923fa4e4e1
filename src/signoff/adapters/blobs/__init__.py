"""Where content-addressed files are kept: a folder, or memory in tests."""
