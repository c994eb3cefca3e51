"""Made by hack/generate. Changes here are lost."""

PROFILE = "imagebuild/55569b9dd9e633a8.json"
"""The seccomp profile of build pods, below the kubelet's seccomp directory, named by its content."""
