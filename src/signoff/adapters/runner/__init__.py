"""What runs training and test commands: child processes here, a double for tests."""
