"""Made by hack/generate. Changes here are lost."""

PROFILE = "imagebuild/a5dfb4c762ba0062.json"
"""The seccomp profile of build pods, below the kubelet's seccomp directory, named by its content."""
