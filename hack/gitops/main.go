// Says how GitOps tools see an object: Argo CD by a script of ours in the Lua that it embeds, Flux by its library kstatus.
// For tests. The first argument is the script; each line of standard input is an object, each line of output
// {"argo": {"status": "…", "message": "…"}, "kstatus": {"status": "…", "message": "…"}}.
package main

import (
	"bufio"
	"encoding/json"
	"os"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	luajson "layeh.com/gopher-json"
)

type health struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

type answer struct {
	Argo    health `json:"argo"`
	Kstatus health `json:"kstatus"`
}

// As Argo CD runs a script: `obj` is the object, the answer is a table, and of the libraries there are these alone.
func argo(script string, object map[string]any) (health, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.LoadLibName: lua.OpenPackage, lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable,
		lua.StringLibName: lua.OpenString, lua.MathLibName: lua.OpenMath,
	} {
		state.Push(state.NewFunction(open))
		state.Push(lua.LString(name))
		state.Call(1, 0)
	}
	state.SetGlobal("obj", luajson.DecodeValue(state, object))
	if err := state.DoString(script); err != nil {
		return health{}, err
	}
	text, err := luajson.Encode(state.Get(-1))
	if err != nil {
		return health{}, err
	}
	var said health
	return said, json.Unmarshal(text, &said)
}

func look(script string, line []byte) (answer, error) {
	var object map[string]any
	if err := json.Unmarshal(line, &object); err != nil {
		return answer{}, err
	}
	said, err := argo(script, object)
	if err != nil {
		return answer{}, err
	}
	found := unstructured.Unstructured{}
	if err := found.UnmarshalJSON(line); err != nil {
		return answer{}, err
	}
	computed, err := status.Compute(&found)
	if err != nil {
		return answer{}, err
	}
	return answer{Argo: said, Kstatus: health{Status: computed.Status.String(), Message: computed.Message}}, nil
}

func main() {
	script, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		said, err := look(string(script), lines.Bytes())
		if err != nil {
			panic(err)
		}
		if err := out.Encode(said); err != nil {
			panic(err)
		}
	}
}
