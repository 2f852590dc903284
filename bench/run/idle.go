package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/bench/figures"
	"github.com/lockstep-dev/lockstep/internal/testkit/journey"
)

// idleHome holds the Stacks that nothing was released of.
const idleHome = "bench-idle"

const idleStack = `
apiVersion: lockstep.dev/v1alpha1
kind: Stack
metadata: {name: idle-%[1]d, namespace: bench-idle}
spec:
  source: {git: {url: %[2]q, path: apps/shop}, helm: {}}
  slots:
  - {name: blue, namespace: bench-idle-%[1]d-blue}
  - {name: green, namespace: bench-idle-%[1]d-green}
  entries:
  - name: web
    httpRoute: {parentRefs: [{name: public, namespace: istio-system}], hostnames: [idle-%[1]d.bench.example.com]}
    backend: {service: frontend, port: 80}
`

// idleController watches the controller with one Stack, which is live, and then with others beside it that nothing was
// released of yet.
func (b *bench) idleController(ctx context.Context) error {
	s, err := b.shopBehind(ctx, figures.HTTPRoute)
	if err != nil {
		return err
	}
	if err := b.watchIdle(ctx, 1); err != nil {
		return err
	}
	if err := b.Home(ctx, idleHome); err != nil {
		return err
	}
	defer func() { _ = b.ForgetNamespace(context.WithoutCancel(ctx), idleHome) }()
	for i := 1; i < b.stacks; i++ {
		if err := b.Apply(ctx, fmt.Sprintf(idleStack, i, s.repo.URL)); err != nil {
			return err
		}
	}
	if err := b.untilSeen(ctx); err != nil {
		return err
	}
	if err := b.watchIdle(ctx, b.stacks); err != nil {
		return err
	}
	return b.DeleteNamespace(ctx, idleHome)
}

// untilSeen waits until the controller has said something of every idle Stack.
func (b *bench) untilSeen(ctx context.Context) error {
	return journey.Until(ctx, 2*time.Minute, func(ctx context.Context) error {
		for i := 1; i < b.stacks; i++ {
			stack, err := b.Stack(ctx, idleHome, "idle-"+strconv.Itoa(i))
			if err != nil {
				return err
			}
			if stack.Status.ObservedGeneration != stack.Generation || reason(stack) == "" {
				return fmt.Errorf("stack %s was not looked at: %s", stack.Name, journey.Describe(stack))
			}
		}
		return nil
	})
}

func reason(stack *v1alpha1.Stack) string {
	for _, c := range stack.Status.Conditions {
		if c.Type == v1alpha1.ConditionReady {
			return c.Reason
		}
	}
	return ""
}

func (b *bench) watchIdle(ctx context.Context, stacks int) error {
	time.Sleep(min(b.idle, 5*time.Second)) // what the last change has set off is not idleness
	began, err := b.meter(ctx)
	if err != nil {
		return err
	}
	at := time.Now()
	b.say("%d Stacks: watching for %s", stacks, b.idle)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(b.idle):
	}
	ended, err := b.meter(ctx)
	if err != nil {
		return err
	}
	took := time.Since(at).Seconds()
	found := figures.Idle{MemoryMiB: ended.memory / (1 << 20), CPUMillis: (ended.cpu - began.cpu) / took * 1000, Seconds: took}
	b.results.Controller[strconv.Itoa(stacks)] = found
	b.say("%d Stacks: %.0f MiB, %.1f thousandths of a processor", stacks, found.MemoryMiB, found.CPUMillis)
	return nil
}
