"""What `make demo` is made of: `stack` runs signoff in a throw-away home, `story` plays, `telling` prints."""
