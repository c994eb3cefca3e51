// Prints the seccomp profile of build pods: containerd's default for a container without extra capabilities, and the
// calls with which an ordinary user makes a user namespace and BuildKit runs steps inside it. hack/generate calls it.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/containerd/containerd/v2/contrib/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Each of `needed` was found necessary: without it a build fails. `newer` are the forms in which newer programs ask for
// the same, which do not fall back when the answer is "not permitted". clone3 stays unknown, as in the default: its flags
// cannot be filtered, and everything falls back to clone.
var (
	needed = []string{"clone", "keyctl", "mount", "pivot_root", "sethostname", "umount2", "unshare"}
	newer  = []string{
		"fsconfig", "fsmount", "fsopen", "fspick", "mount_setattr", "move_mount", "open_tree", "setdomainname", "setns",
		"umount",
	}
)

func main() {
	spec := &specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{}}}
	profile := seccomp.DefaultProfile(spec)
	// both of the 64-bit kinds of node; a kernel ignores the architectures it is not
	profile.Architectures = []specs.Arch{
		specs.ArchX86_64, specs.ArchX86, specs.ArchX32, specs.ArchAARCH64, specs.ArchARM,
	}
	profile.Syscalls = append(profile.Syscalls, specs.LinuxSyscall{
		Names: append(needed, newer...), Action: specs.ActAllow, Args: []specs.LinuxSeccompArg{},
	})
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(profile); err != nil {
		fmt.Fprintln(os.Stderr, "hack/seccomp:", err)
		os.Exit(1)
	}
}
