package controller

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/lockstep-dev/lockstep/config"
	"github.com/lockstep-dev/lockstep/internal/testkit/apiserver"
)

var (
	startServer = sync.OnceValues(apiserver.Start)
	started     bool
)

func TestMain(m *testing.M) {
	code := m.Run()
	if started {
		if server, err := startServer(); err == nil {
			_ = server.Stop()
		}
	}
	os.Exit(code)
}

// realServer is the one API server of the tests that need one.
func realServer(t *testing.T) *apiserver.Server {
	t.Helper()
	if testing.Short() {
		t.Skip("it takes an API server")
	}
	started = true
	server, err := startServer()
	if err != nil {
		t.Fatal(err)
	}
	return server
}

// fresh is a name that no other test, nor another run of the same one, has used.
func fresh(name string) string {
	return fmt.Sprintf("%s-%d", name, time.Now().UnixNano()%1_000_000_000)
}

// asController is a config with the rights that the controller ships with, and no more.
func asController(server *apiserver.Server) *rest.Config {
	cfg := rest.CopyConfig(server.Config)
	cfg.QPS = -1
	cfg.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:" + config.Namespace + ":" + config.Controller,
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:" + config.Namespace, "system:authenticated"},
	}
	return cfg
}

// startController runs the controllers until the test ends.
func startController(t *testing.T, server *apiserver.Server, options Options) {
	t.Helper()
	skipNames := true
	managerOptions := ctrl.Options{Scheme: server.Scheme, Cache: CacheOptions("lockstep-system", options.Namespaces...), Metrics: metricsserver.Options{BindAddress: "0"}}
	managerOptions.Controller.SkipNameValidation = &skipNames
	mgr, err := ctrl.NewManager(asController(server), managerOptions)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if err := Setup(ctx, mgr, options); err != nil {
		cancel()
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
