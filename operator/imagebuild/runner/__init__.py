"""Program 2, the runner: the first process of a build pod. Standard library and contract only: it starts fast."""
