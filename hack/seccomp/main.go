// Prints containerd's default seccomp profile for a container without extra capabilities: what the profile of build pods
// begins with (hack/generator/seccomp.py). hack/generate --seccomp keeps what it prints in default.json.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/containerd/containerd/v2/contrib/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
)

func main() {
	spec := &specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{}}}
	profile := seccomp.DefaultProfile(spec)
	// both of the 64-bit kinds of node; a kernel ignores the architectures it is not
	profile.Architectures = []specs.Arch{
		specs.ArchX86_64, specs.ArchX86, specs.ArchX32, specs.ArchAARCH64, specs.ArchARM,
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(profile); err != nil {
		fmt.Fprintln(os.Stderr, "hack/seccomp:", err)
		os.Exit(1)
	}
}
