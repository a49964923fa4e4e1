"""The rules of signoff: frozen values and pure functions, standard library only.

A reader of this package alone should be able to explain the product. Nothing here reads a clock, a file or a
network; whatever a rule needs, the time included, is an argument. Every other package may import this one.
"""
