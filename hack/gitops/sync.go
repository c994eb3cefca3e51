package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/cache"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync"
	synced "github.com/argoproj/argo-cd/gitops-engine/pkg/sync/common"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/utils/kube"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/utils/tracing"
	"github.com/argoproj/argo-cd/v3/common"
	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/argo"
	"github.com/argoproj/argo-cd/v3/util/argo/diff"
	"github.com/argoproj/argo-cd/v3/util/argo/normalizers"
	"github.com/argoproj/argo-cd/v3/util/lua"
	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const method = v1alpha1.TrackingMethodAnnotation

var tracking = argo.NewResourceTracking()

// An Application with automated sync, self-heal and pruning, without the server that keeps its state between two looks.
type application struct {
	name, namespace, directory string
	serverSide                 bool
	overrides                  map[string]v1alpha1.ResourceOverride
	cluster                    *rest.Config
	live                       cache.ClusterCache
}

// One look, and what came of it. Phase is empty where nothing differs, and so nothing was done.
type outcome struct {
	OutOfSync []string                    `json:"outOfSync"`
	Phase     synced.OperationPhase       `json:"phase"`
	Message   string                      `json:"message"`
	Results   []synced.ResourceSyncResult `json:"-"`
}

func reconcile(ctx context.Context, words []string) error {
	flags := flag.NewFlagSet("sync", flag.ContinueOnError)
	app := application{}
	kubeconfig := flags.String("kubeconfig", "", "how to reach the cluster")
	always := flags.Bool("always", false, "sync also where nothing differs, as the button does")
	flags.StringVar(&app.name, "name", "app", "of the application")
	flags.StringVar(&app.namespace, "namespace", "default", "where its objects are")
	flags.BoolVar(&app.serverSide, "server-side", false, "the sync option ServerSideApply=true")
	if err := flags.Parse(words); err != nil {
		return err
	}
	app.directory = flags.Arg(1)
	if err := app.connect(ctx, *kubeconfig, flags.Arg(0)); err != nil {
		return err
	}
	defer app.live.Invalidate()
	differing, err := app.outOfSync()
	if err != nil {
		return err
	}
	found := outcome{OutOfSync: differing}
	if len(differing) > 0 || *always {
		if err := app.sync(&found); err != nil {
			return err
		}
	}
	return json.NewEncoder(os.Stdout).Encode(found)
}

func (app *application) connect(ctx context.Context, kubeconfig, configMap string) (err error) {
	if app.overrides, err = customizations(ctx, configMap); err != nil {
		return err
	}
	if app.cluster, err = clientcmd.BuildConfigFromFlags("", kubeconfig); err != nil {
		return err
	}
	app.cluster.QPS, app.cluster.Burst = 50, 100 // as Argo CD has them
	app.live = cache.NewClusterCache(app.cluster,
		cache.SetNamespaces([]string{app.namespace}),
		cache.SetLogr(logr.Discard()),
		cache.SetPopulateResourceInfoHandler(func(object *unstructured.Unstructured, _ bool) (any, bool) {
			owner := tracking.GetAppName(object, common.LabelKeyAppInstance, method, "")
			return owner, owner != ""
		}),
	)
	return app.live.EnsureSynced()
}

// What is in the directory beside what is in the cluster. Objects that are only there are to be pruned.
func (app *application) compared() (sync.ReconciliationResult, error) {
	wanted, err := app.wanted()
	if err != nil {
		return sync.ReconciliationResult{}, err
	}
	mine := func(found *cache.Resource) bool { return found.Info == app.name }
	there, err := app.live.GetManagedLiveObjs(wanted, mine)
	if err != nil {
		return sync.ReconciliationResult{}, err
	}
	return sync.Reconcile(wanted, there, app.namespace, app.live), nil
}

func (app *application) wanted() (objects []*unstructured.Unstructured, err error) {
	files, err := filepath.Glob(filepath.Join(app.directory, "*.yaml"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		found, err := kube.SplitYAML(text)
		if err != nil {
			return nil, err
		}
		objects = append(objects, found...)
	}
	for _, object := range objects {
		namespaced, err := app.live.IsNamespaced(object.GroupVersionKind().GroupKind())
		if err != nil {
			return nil, err
		}
		if namespaced {
			object.SetNamespace(app.namespace)
		}
		if err := tracking.SetAppInstance(object, common.LabelKeyAppInstance, app.name, app.namespace, method, ""); err != nil {
			return nil, err
		}
	}
	return objects, nil
}

func (app *application) outOfSync() ([]string, error) {
	pairs, err := app.compared()
	if err != nil {
		return nil, err
	}
	config, err := diff.NewDiffConfigBuilder().
		WithDiffSettings(nil, app.overrides, false, normalizers.IgnoreNormalizerOpts{}).
		WithTracking(common.LabelKeyAppInstance, string(method)).
		WithNoCache().
		WithLogger(logr.Discard()).
		WithGVKParser(app.live.GetGVKParser()).
		WithStructuredMergeDiff(app.serverSide).
		WithManager(common.ArgoCDSSAManager).
		Build()
	if err != nil {
		return nil, err
	}
	found, err := diff.StateDiffs(pairs.Live, pairs.Target, config)
	if err != nil {
		return nil, err
	}
	names := []string{}
	for i, each := range found.Diffs {
		object := pairs.Target[i]
		if object == nil {
			object = pairs.Live[i]
		}
		if pairs.Target[i] == nil || each.Modified {
			names = append(names, object.GetKind()+"/"+object.GetName())
		}
	}
	slices.Sort(names)
	return names, nil
}

// As Argo CD's controller does it: look after look, with what the one before has left.
func (app *application) sync(found *outcome) error {
	began := metav1.Now()
	found.Phase = synced.OperationRunning
	for {
		if err := app.step(found, began); err != nil {
			return err
		}
		if found.Phase.Completed() {
			return nil
		}
		time.Sleep(time.Second)
	}
}

func (app *application) step(found *outcome, began metav1.Time) error {
	pairs, err := app.compared()
	if err != nil {
		return err
	}
	foreground := metav1.DeletePropagationForeground // Argo CD's default
	context, cleanup, err := sync.NewSyncContext(
		"revision", pairs, app.cluster, app.cluster,
		&kube.KubectlCmd{Log: logr.Discard(), Tracer: tracing.NopTracer{}}, app.namespace,
		sync.WithLogr(logr.Discard()),
		sync.WithHealthOverride(lua.ResourceHealthOverrides(app.overrides)),
		sync.WithInitialState(found.Phase, found.Message, found.Results, began),
		sync.WithPrune(true),
		sync.WithPrunePropagationPolicy(&foreground),
		sync.WithServerSideApply(app.serverSide),
		sync.WithServerSideApplyManager(common.ArgoCDSSAManager),
		sync.WithSyncWaveHook(pause),
	)
	if err != nil {
		return fmt.Errorf("cannot begin to sync: %w", err)
	}
	defer cleanup()
	context.Sync()
	found.Phase, found.Message, found.Results = context.GetState()
	return nil
}

// Between two waves Argo CD gives controllers so long to see what is new.
func pause(_ synced.SyncPhase, _ int, last bool) error {
	if !last {
		time.Sleep(2 * time.Second)
	}
	return nil
}
