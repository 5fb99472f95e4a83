"""What goes wrong without the user's fault."""


class RunError(Exception):
    """Something failed that was asked for rightly; the message is one line.

    Bad use is a ValueError everywhere in this package (exit status 2), trouble with files an OSError (exit status 1).

    Attributes:
        status: The exit status of the command line.
    """

    status = 1


class Interrupted(RunError):
    """The user stopped a run that can go on later."""

    status = 130
