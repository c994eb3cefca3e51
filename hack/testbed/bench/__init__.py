"""hack/bench: how fast it is, beside what. A module per group measures; page and plots are made of its figures."""
