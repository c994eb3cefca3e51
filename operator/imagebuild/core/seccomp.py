"""Where the seccomp profile that this release ships lies below the kubelet's seccomp directory. Made by hack/generate."""

PROFILE = "imagebuild/profile.json"
