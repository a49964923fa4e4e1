"""`python -m signoff.cli`: the command line without its script."""

from signoff.cli.app import main

if __name__ == "__main__":
    main()
