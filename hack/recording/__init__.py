"""hack/record: a session at a terminal, as it was, and as a picture that moves. They are in docs/."""
