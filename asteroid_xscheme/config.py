"""A run's options: each named, typed, explained and checked here once.

A recipe is a `conf.yml` of the groups below; `Config.from_dict` reads it, `parser` makes every
option of it an argument of the command line, `Config.to_dict` writes it back.
"""
