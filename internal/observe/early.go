package observe

import (
	"context"

	"k8s.io/apimachinery/pkg/types"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// early is a pass that was begun by the Stack as it was last watched, while it is found out whether the Stack still says so.
// Users wait for a pass, and the Stack has mostly been at rest when one decides. What was read by another version of the Stack
// is thrown away; what was read by this one was read after it was written, as if the Stack had been read first.
type early struct {
	pass   *pass
	cancel context.CancelFunc
	done   chan struct{}
	// err is what reading came to, once it is done.
	err error
}

func (o *Observer) begin(ctx context.Context, key types.NamespacedName) *early {
	watched := &v1alpha1.Stack{}
	if o.Watched == nil || o.Watched.Get(ctx, key, watched) != nil {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	e := &early{pass: newPass(o, WithDefaults(watched)), cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(e.done)
		e.err = e.pass.read(ctx)
	}()
	return e
}

// of is the pass once it has read everything, and nil where it was begun by another version of the Stack.
func (e *early) of(stack *v1alpha1.Stack) (*pass, error) {
	if e == nil {
		return nil, nil
	}
	if seen := e.pass.stack; seen.UID != stack.UID || seen.ResourceVersion != stack.ResourceVersion {
		e.giveUp()
		return nil, nil
	}
	defer e.cancel()
	<-e.done
	return e.pass, e.err
}

func (e *early) giveUp() {
	if e == nil {
		return
	}
	e.cancel()
	<-e.done
}
