package cli

import (
	"context"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// settle is how long changes are gathered before they are looked at: an effect is seldom one write.
const settle = 150 * time.Millisecond

// again is the pause before a watch that broke is begun anew.
const again = time.Second

// target is a kind in a namespace.
type target struct {
	list      client.ObjectList
	namespace string
}

// changes signals that something may have changed: at once, and then whenever a watched kind does. Watches only wake:
// what is shown is read, so that a missed event costs nothing.
func (a *app) changes(ctx context.Context, c *Cluster, targets ...target) <-chan struct{} {
	out := make(chan struct{}, 1)
	signal(out)
	for _, t := range targets {
		go a.follow(ctx, c, t, out)
	}
	return out
}

func signal(out chan<- struct{}) {
	select {
	case out <- struct{}{}:
	default:
	}
}

// follow keeps a watch on t. A kind that may not be watched is asked for now and then by the pause.
func (a *app) follow(ctx context.Context, c *Cluster, t target, out chan<- struct{}) {
	pause := again
	for ctx.Err() == nil {
		began := a.Clock.Now()
		c.drain(ctx, t, out)
		if a.Clock.Since(began) > pause {
			pause = again
		}
		if !a.sleep(ctx, pause) {
			return
		}
		pause = min(2*pause, 30*time.Second)
		signal(out)
	}
}

func (c *Cluster) drain(ctx context.Context, t target, out chan<- struct{}) {
	w, err := c.Watch(ctx, t.list.DeepCopyObject().(client.ObjectList), client.InNamespace(t.namespace))
	if err != nil {
		return
	}
	defer w.Stop()
	signal(out) // what changed before the watch began would be missed
	for {
		select {
		case <-ctx.Done():
			return
		case _, open := <-w.ResultChan():
			if !open {
				return
			}
			signal(out)
		}
	}
}

func (a *app) sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-a.Clock.After(d):
		return true
	}
}
