package main

import (
	"context"
	"encoding/json"
	"io"
	"os"

	"github.com/argoproj/argo-cd/v3/util/lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

type acted struct {
	Offered []string       `json:"offered"`
	Object  map[string]any `json:"object"`
}

func act(ctx context.Context, file, name string) error {
	overrides, err := customizations(ctx, file)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	object := unstructured.Unstructured{}
	if err := object.UnmarshalJSON(text); err != nil {
		return err
	}
	machine := lua.VM{ResourceOverrides: overrides}
	found := acted{}
	if found.Offered, err = offered(machine, &object); err != nil {
		return err
	}
	action, err := machine.GetResourceAction(&object, name)
	if err != nil {
		return err
	}
	changed, err := machine.ExecuteResourceAction(&object, action.ActionLua, nil)
	if err != nil {
		return err
	}
	found.Object = changed[0].UnstructuredObj.Object
	return json.NewEncoder(os.Stdout).Encode(found)
}

func offered(machine lua.VM, object *unstructured.Unstructured) (names []string, err error) {
	scripts, err := machine.GetResourceActionDiscovery(object)
	if err != nil {
		return nil, err
	}
	actions, err := machine.ExecuteResourceActionDiscovery(object, scripts)
	for _, each := range actions {
		if !each.Disabled {
			names = append(names, each.Name)
		}
	}
	return names, err
}
