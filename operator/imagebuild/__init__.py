"""ImageBuild: container images built on Kubernetes by rootless BuildKit, one unprivileged pod per build."""

__version__ = "0.1.0"
