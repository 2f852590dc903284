package controller

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// LeaderElectionID names the Lease of the controller that works while others stand by. It keeps two from doing the same
// work twice, and nothing else: what they write is fenced all the same.
const LeaderElectionID = "lockstep-controller.lockstep.dev"

// Errors that may pass are tried again at growing intervals.
const (
	firstBackoff = 50 * time.Millisecond
	lastBackoff  = 30 * time.Second
)

// stacksAtOnce is how many Stacks are worked on at the same time by default.
const stacksAtOnce = 8

// Options are what the controllers need.
type Options struct {
	// Observer reads Snapshots, live.
	Observer Observer
	// Applier carries out actions.
	Applier Applier
	// Trigger asks for passes from outside; share it with what watches sources. Default: one of its own.
	Trigger *Trigger
	// Namespaces that the controller may see, where it may not see all; those of the cache. Default: all.
	Namespaces []string
	// Clock tells the time. Default: the machine's.
	Clock clock.WithDelayedExecution
	// MaxConcurrentReconciles is how many Stacks are worked on at the same time. Default: 8.
	MaxConcurrentReconciles int

	// next is the planner.
	next func(plan.Snapshot, time.Time) plan.Plan
}

func (o Options) withDefaults() Options {
	if o.Trigger == nil {
		o.Trigger = &Trigger{}
	}
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	if o.next == nil {
		o.next = plan.Next
	}
	if o.MaxConcurrentReconciles == 0 {
		o.MaxConcurrentReconciles = stacksAtOnce
	}
	return o
}

// Setup adds the controllers to the manager, whose cache should be made with CacheOptions.
func Setup(ctx context.Context, mgr ctrl.Manager, options Options) error {
	options = options.withDefaults()
	if err := indexRoutes(ctx, mgr); err != nil {
		return err
	}
	if err := setupStacks(mgr, options); err != nil {
		return fmt.Errorf("setting up the controller of Stacks: %w", err)
	}
	if err := setupOrphans(mgr, options); err != nil {
		return fmt.Errorf("setting up the controller of Releases: %w", err)
	}
	if err := setupUnheard(mgr, options); err != nil {
		return fmt.Errorf("setting up the controller of Decisions: %w", err)
	}
	return nil
}

func newReconciler(mgr ctrl.Manager, o Options) *reconciler {
	in := newInbox()
	return &reconciler{
		client:   mgr.GetClient(),
		observer: o.Observer,
		applier:  o.Applier,
		events:   mgr.GetEventRecorder("lockstep-controller"),
		clock:    o.Clock,
		next:     o.next,
		inbox:    in,
		runner:   newRunner(in, o.Clock, o.Trigger.Fire),
		pace:     newPace(),
		meter:    shared(),
		places:   newPlaces(mgr.GetLogger().WithValues("controller", "stack")),
		patience: newPatience(),
	}
}

func setupStacks(mgr ctrl.Manager, o Options) error {
	maps := mapper{client: mgr.GetClient()}
	r := newReconciler(mgr, o)
	b := ctrl.NewControllerManagedBy(mgr).
		Named("stack").
		For(&v1alpha1.Stack{}, builder.WithPredicates(specOrAnnotations)).
		Watches(&v1alpha1.Stack{}, maps.to(maps.everyStack), builder.WithPredicates(gone)).
		Watches(&v1alpha1.Stack{}, maps.to(maps.groupOfStack), builder.WithPredicates(specOrAnnotations)).
		Watches(&v1alpha1.Release{}, maps.to(stackOfRelease)).
		WatchesMetadata(&corev1.Secret{}, maps.to(stackByLabel), builder.WithPredicates(gone)).
		WatchesMetadata(&coordinationv1.Lease{}, maps.to(maps.stacksOfGroup)).
		Watches(&v1alpha1.Decision{}, maps.to(maps.stackOfDecision), builder.WithPredicates(open)).
		WatchesRawSource(o.Trigger.source()).
		WithOptions(controller.Options{MaxConcurrentReconciles: o.MaxConcurrentReconciles, RateLimiter: rateLimiter()}).
		WithLogConstructor(r.places.of)
	for _, object := range labelledKinds(o.Namespaces) {
		b = b.WatchesMetadata(object, settled(maps.to(stackByLabel)))
	}
	for _, object := range policyKinds() {
		if served(mgr, object) {
			b = b.WatchesMetadata(object, maps.to(maps.everyStack), builder.WithPredicates(ofPolicy))
		}
	}
	made, err := b.Build(r)
	if err != nil {
		return err
	}
	return mgr.Add(&routeWatcher{manager: mgr, controller: made, maps: maps})
}

func setupOrphans(mgr ctrl.Manager, o Options) error {
	maps := mapper{client: mgr.GetClient()}
	return ctrl.NewControllerManagedBy(mgr).
		Named("release").
		For(&v1alpha1.Release{}).
		Watches(&v1alpha1.Stack{}, maps.to(maps.releasesOfStack), builder.WithPredicates(gone)).
		Complete(newOrphans(mgr, o))
}

func setupUnheard(mgr ctrl.Manager, o Options) error {
	maps := mapper{client: mgr.GetClient()}
	return ctrl.NewControllerManagedBy(mgr).
		Named("decision").
		For(&v1alpha1.Decision{}, builder.WithPredicates(open)).
		Watches(&v1alpha1.Release{}, maps.to(maps.decisionsOfRelease), builder.WithPredicates(gone)).
		Complete(newUnheard(mgr, o))
}

func rateLimiter() workqueue.TypedRateLimiter[reconcile.Request] {
	return workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstBackoff, lastBackoff)
}
