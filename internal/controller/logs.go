package controller

import (
	"context"
	"sync"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// places keeps where each Stack's active release is, so that each line of the log says so, also where a pass failed before
// it had read the Stack.
type places struct {
	logger logr.Logger

	mu sync.Mutex
	at map[types.NamespacedName][]any
}

func newPlaces(logger logr.Logger) *places {
	return &places{logger: logger, at: map[types.NamespacedName][]any{}}
}

// of is the logger for one pass over a Stack.
func (p *places) of(request *reconcile.Request) logr.Logger {
	if request == nil {
		return p.logger
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.logger.WithValues("stack", request.String()).WithValues(p.at[request.NamespacedName]...)
}

// saw gives the rest of the pass a logger that says where the release is now.
func (p *places) saw(ctx context.Context, stack types.NamespacedName, status v1alpha1.StackStatus) context.Context {
	var at []any
	if u := unitOf(status); u.Step != nil {
		at = []any{"release", u.ActiveRelease, "step", string(u.Step.Kind)}
	}
	p.mu.Lock()
	p.at[stack] = at
	p.mu.Unlock()
	return log.IntoContext(ctx, p.of(&reconcile.Request{NamespacedName: stack}).WithValues("reconcileID", controller.ReconcileIDFromContext(ctx)))
}

func (p *places) forget(stack types.NamespacedName) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.at, stack)
}
