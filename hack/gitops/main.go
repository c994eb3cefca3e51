// What GitOps tools make of ImageBuilds, by their own code. For tests.
//
//	gitops health ARGOCD_CM                          how Argo CD and Flux judge the objects of standard input, one in a line
//	gitops act ARGOCD_CM ACTION                      what Argo CD offers for the object of standard input, and makes of it
//	gitops sync [FLAGS] ARGOCD_CM DIRECTORY          what Argo CD does once for an application: compare, and sync what differs
//
// ARGOCD_CM is the file with Argo CD's ConfigMap.
package main

import (
	"context"
	"fmt"
	"os"
)

func run(words []string) error {
	switch words[0] {
	case "health":
		return judge(context.Background(), words[1])
	case "act":
		return act(context.Background(), words[1], words[2])
	case "sync":
		return reconcile(context.Background(), words[1:])
	}
	return fmt.Errorf("no such command: %s", words[0])
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "gitops:", err)
		os.Exit(1)
	}
}
