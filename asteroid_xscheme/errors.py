"""The one exception that all of ours derive from: something that whoever calls can mend."""


class XSchemeError(ValueError):
    """What was expected, what came instead and what to do, in a sentence or two."""
