package main

import (
	"bufio"
	"context"
	"encoding/json"
	"os"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/health"
	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/lua"
	"github.com/argoproj/argo-cd/v3/util/settings"
	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes/fake"
	"sigs.k8s.io/yaml"
)

type verdict struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

type answer struct {
	Argo    verdict `json:"argo"`
	Kstatus verdict `json:"kstatus"`
}

// What Argo CD reads out of its ConfigMap, by the code that reads it; only the API server that keeps it is played.
func customizations(ctx context.Context, file string) (map[string]v1alpha1.ResourceOverride, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var kept corev1.ConfigMap
	if err := yaml.UnmarshalStrict(text, &kept); err != nil {
		return nil, err
	}
	return settings.NewSettingsManager(ctx, fake.NewClientset(&kept), kept.Namespace).GetResourceOverrides()
}

func judge(ctx context.Context, file string) error {
	overrides, err := customizations(ctx, file)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		said, err := look(overrides, lines.Bytes())
		if err != nil {
			return err
		}
		if err := out.Encode(said); err != nil {
			return err
		}
	}
	return lines.Err()
}

func look(overrides lua.ResourceHealthOverrides, line []byte) (answer, error) {
	object := unstructured.Unstructured{}
	if err := object.UnmarshalJSON(line); err != nil {
		return answer{}, err
	}
	said, err := health.GetResourceHealth(&object, overrides)
	if err != nil {
		return answer{}, err
	}
	computed, err := status.Compute(&object)
	if err != nil {
		return answer{}, err
	}
	return answer{
		Argo:    verdict{Status: string(said.Status), Message: said.Message},
		Kstatus: verdict{Status: computed.Status.String(), Message: computed.Message},
	}, nil
}
