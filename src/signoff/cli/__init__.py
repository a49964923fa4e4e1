"""The command line, `signoff ...`. What asks the server goes through `sdk`; what is the server, through `bootstrap`.

A file for each group of commands, listed in `commands`, imported when one of its commands is typed. Nothing imports
this package.
"""
