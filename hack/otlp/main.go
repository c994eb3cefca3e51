// Receives traces as the OpenTelemetry Collector does, by its own receiver, and prints each span as a line of JSON. For
// tests. The argument is the address for OTLP over HTTP, such as :4318.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configgrpc"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.uber.org/zap"
)

type span struct {
	Trace      string         `json:"trace"`
	Span       string         `json:"span"`
	Parent     string         `json:"parent"`
	Name       string         `json:"name"`
	Service    string         `json:"service"`
	Start      uint64         `json:"start"`
	End        uint64         `json:"end"`
	Failed     bool           `json:"failed"`
	Says       string         `json:"says"`
	Resource   map[string]any `json:"resource"`
	Attributes map[string]any `json:"attributes"`
}

func lines(traces ptrace.Traces, write func(span) error) error {
	for _, resource := range traces.ResourceSpans().All() {
		about := resource.Resource().Attributes()
		service, _ := about.Get("service.name")
		for _, scope := range resource.ScopeSpans().All() {
			for _, each := range scope.Spans().All() {
				if err := write(read(each, service, about)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func read(each ptrace.Span, service pcommon.Value, about pcommon.Map) span {
	return span{
		Trace:      each.TraceID().String(),
		Span:       each.SpanID().String(),
		Parent:     each.ParentSpanID().String(),
		Name:       each.Name(),
		Service:    service.AsString(),
		Start:      uint64(each.StartTimestamp()),
		End:        uint64(each.EndTimestamp()),
		Failed:     each.Status().Code() == ptrace.StatusCodeError,
		Says:       each.Status().Message(),
		Resource:   about.AsRaw(),
		Attributes: each.Attributes().AsRaw(),
	}
}

func printer() (consumer.Traces, error) {
	var lock sync.Mutex
	output := json.NewEncoder(os.Stdout)
	return consumer.NewTraces(func(_ context.Context, traces ptrace.Traces) error {
		lock.Lock()
		defer lock.Unlock()
		return lines(traces, func(each span) error { return output.Encode(each) })
	})
}

func start(ctx context.Context, address string) (receiver.Traces, error) {
	next, err := printer()
	if err != nil {
		return nil, err
	}
	factory := otlpreceiver.NewFactory()
	config := factory.CreateDefaultConfig().(*otlpreceiver.Config)
	config.Protocols.GRPC = configoptional.None[configgrpc.ServerConfig]()
	config.Protocols.HTTP.GetOrInsertDefault().ServerConfig.NetAddr.Endpoint = address
	telemetry := componenttest.NewNopTelemetrySettings()
	telemetry.Logger = zap.Must(zap.NewProduction())
	settings := receiver.Settings{ID: component.NewID(factory.Type()), TelemetrySettings: telemetry}
	server, err := factory.CreateTraces(ctx, settings, config, next)
	if err != nil {
		return nil, err
	}
	return server, server.Start(ctx, componenttest.NewNopHost())
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	server, err := start(ctx, os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	<-ctx.Done()
	if err := server.Shutdown(context.Background()); err != nil {
		log.Fatal(err)
	}
}
