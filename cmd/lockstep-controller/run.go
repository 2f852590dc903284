package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/lockstep-dev/lockstep/config"
	"github.com/lockstep-dev/lockstep/internal/apply"
	"github.com/lockstep-dev/lockstep/internal/controller"
	"github.com/lockstep-dev/lockstep/internal/observe"
)

// requestTimeout bounds one request that is no watch.
const requestTimeout = 30 * time.Second

// run serves until ctx ends.
func run(ctx context.Context, f *flags) error {
	startLog(f)
	cfg, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("finding the cluster: %w", err)
	}
	return serve(ctx, cfg, f)
}

func serve(ctx context.Context, cfg *rest.Config, f *flags) error {
	cfg.QPS, cfg.Burst, cfg.UserAgent = f.qps, f.burst, config.Controller
	cfg.Wrap(controller.CountWrites)
	mgr, err := newManager(cfg, f)
	if err != nil {
		return err
	}
	if err := setup(ctx, mgr, f); err != nil {
		return err
	}
	if err := mgr.Start(ctx); err != nil {
		return fmt.Errorf("running: %w", err)
	}
	return nil
}

// startLog writes JSON to standard error. The level was checked with the flags.
func startLog(f *flags) {
	level, _ := f.level()
	logger := logr.FromSlogHandler(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	ctrl.SetLogger(logger)
	klog.SetLogger(logger)
}

func newManager(cfg *rest.Config, f *flags) (ctrl.Manager, error) {
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme:                  scheme,
		Controller:              ctrlconfig.Controller{SkipNameValidation: &f.again},
		Cache:                   controller.CacheOptions(f.namespace, f.namespaces...),
		Metrics:                 metricsserver.Options{BindAddress: f.metricsAddress},
		HealthProbeBindAddress:  f.probeAddress,
		LeaderElection:          f.leaderElect,
		LeaderElectionID:        controller.LeaderElectionID,
		LeaderElectionNamespace: f.namespace,
		LeaseDuration:           &f.leaseDuration,
		RenewDeadline:           &f.renewDeadline,
		RetryPeriod:             &f.retryPeriod,
		// The process ends right after the manager does, so that the next one need not wait for the Lease to run out.
		LeaderElectionReleaseOnCancel: true,
	})
	if err != nil {
		return nil, fmt.Errorf("making the manager: %w", err)
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return nil, fmt.Errorf("serving health: %w", err)
	}
	if err := mgr.AddReadyzCheck("ping", healthz.Ping); err != nil {
		return nil, fmt.Errorf("serving readiness: %w", err)
	}
	return mgr, nil
}

func setup(ctx context.Context, mgr ctrl.Manager, f *flags) error {
	direct := rest.CopyConfig(mgr.GetConfig())
	direct.Timeout = requestTimeout
	live, err := client.New(direct, client.Options{Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper()})
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	live = controller.Within(live, f.namespaces, f.gateways)
	applier := apply.New(apply.Options{
		Client:              live,
		Config:              mgr.GetConfig(),
		ControllerNamespace: f.namespace,
		WorkDir:             f.workDir,
		AllowFileURLs:       f.allowFileURLs,
	})
	manifests, err := config.Policy()
	if err != nil {
		return err
	}
	policy, err := observe.ShippedPolicy(manifests)
	if err != nil {
		return err
	}
	trigger := &controller.Trigger{}
	observer := observe.New(observe.Options{
		Live:                live,
		Watched:             mgr.GetClient(),
		ControllerNamespace: f.namespace,
		Policy:              policy,
		Source:              observe.NewPoller(observe.PollerOptions{Repository: applier, Changed: trigger.Fire}),
		Drift:               applier,
		Proof:               applier,
	})
	return controller.Setup(ctx, mgr, controller.Options{
		Observer:                observer,
		Applier:                 applier,
		Trigger:                 trigger,
		Namespaces:              f.namespaces,
		MaxConcurrentReconciles: f.stacksAtOnce,
	})
}
