// Says which files of a directory BuildKit's client sends: the code that reads .dockerignore and walks, and nothing of ours.
// For tests. Each line of standard input is {"directory": "…", "ignore": "…"}, each line of output {"paths": […]} or {"error": "…"}.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	gofs "io/fs"
	"os"
	"strings"

	"github.com/moby/patternmatcher/ignorefile"
	"github.com/tonistiigi/fsutil"
)

type question struct {
	Directory string `json:"directory"`
	Ignore    string `json:"ignore"`
}

type answer struct {
	Paths []string `json:"paths"`
	Error string   `json:"error,omitempty"`
}

func walk(asked question) ([]string, error) {
	patterns, err := ignorefile.ReadAll(strings.NewReader(asked.Ignore))
	if err != nil {
		return nil, err
	}
	paths := []string{}
	options := &fsutil.FilterOpt{ExcludePatterns: patterns}
	err = fsutil.WalkDir(context.Background(), asked.Directory, options, func(path string, _ gofs.DirEntry, err error) error {
		paths = append(paths, path)
		return err
	})
	return paths, err
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var asked question
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			panic(err)
		}
		paths, err := walk(asked)
		said := answer{Paths: paths}
		if err != nil {
			said = answer{Error: err.Error()}
		}
		if err := out.Encode(said); err != nil {
			panic(err)
		}
	}
}
