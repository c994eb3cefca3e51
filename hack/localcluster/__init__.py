"""A kind cluster and two registries on any machine; hack/cluster and hack/images are its commands.

Standard library only: it must run before anything of the project is installed.
"""
