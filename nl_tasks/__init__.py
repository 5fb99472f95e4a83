"""nl-tasks: long-context tasks exact to the token, and sparse attention to read them with."""
