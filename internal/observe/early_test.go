package observe

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// begunEarly holds up the reading of the Stack until a slot of the watched one is being read, and that until it is given up,
// where it is to be.
func begunEarly(t *testing.T, givenUp bool) *reads {
	begun := make(chan struct{})
	begin := sync.OnceFunc(func() { close(begun) })
	return &reads{before: func(ctx context.Context, what string) error {
		switch {
		case what == "Stack home/shop":
			return waitFor(t, begun, "nothing was read before the Stack was")
		case what != "Namespace home-blue":
			return nil
		}
		begin()
		if !givenUp {
			return nil
		}
		return errors.Join(waitFor(t, ctx.Done(), "it is being read on"), ctx.Err())
	}}
}

func waitFor(t *testing.T, happened <-chan struct{}, otherwise string) error {
	select {
	case <-happened:
		return nil
	case <-time.After(10 * time.Second):
		t.Error(otherwise)
		return errors.New(otherwise)
	}
}

func TestReadingBeginsByTheWatchedStack(t *testing.T) {
	asked := begunEarly(t, false)
	s := watching(t, cluster(t, interceptor.Funcs{}, at("7", unchanged)), cluster(t, asked.funcs(), at("7", unchanged), slotNamespace("home-blue", stackLabels())))

	if diff := cmp.Diff([]string{"Namespace home-blue", "Namespace home-green"}, asked.of("Namespace")); diff != "" {
		t.Errorf("slots that were read (-want +got):\n%s", diff)
	}
	if !s.Slots[0].Exists || s.Stack.ResourceVersion != "7" {
		t.Errorf("the Stack is at %q, its slot is %+v", s.Stack.ResourceVersion, s.Slots[0])
	}
}

func TestWhatWasReadByAnotherStackIsThrownAway(t *testing.T) {
	moved := func(s *v1alpha1.Stack) { s.Spec.Slots = []v1alpha1.Slot{{Name: "blue", Namespace: "home-red"}} }
	for name, live := range map[string]*v1alpha1.Stack{
		"written since":   at("8", moved),
		"made anew since": at("7", func(s *v1alpha1.Stack) { moved(s); s.UID = "another" }),
	} {
		t.Run(name, func(t *testing.T) {
			asked := begunEarly(t, true)
			s := watching(t, cluster(t, interceptor.Funcs{}, at("7", unchanged)), cluster(t, asked.funcs(), live, slotNamespace("home-red", stackLabels())))

			want := []plan.Slot{{Name: "blue", Namespace: "home-red", Exists: true, Consented: true}}
			if diff := cmp.Diff(want, s.Slots); diff != "" {
				t.Errorf("slots (-want +got):\n%s", diff)
			}
			if s.Stack.ResourceVersion != live.ResourceVersion || s.Stack.UID != live.UID {
				t.Errorf("the Stack is %s at %q, want the live one", s.Stack.UID, s.Stack.ResourceVersion)
			}
		})
	}
}

func TestAStackThatIsGoneIsGoneThoughItIsStillWatched(t *testing.T) {
	asked := begunEarly(t, true)
	options := Options{Live: cluster(t, asked.funcs()), Watched: cluster(t, interceptor.Funcs{}, at("7", unchanged))}
	if _, err := New(options).Observe(t.Context(), shop); !apierrors.IsNotFound(err) {
		t.Errorf("error %v, want NotFound", err)
	}
}

func TestTroubleWithReadingEarlyIsTrouble(t *testing.T) {
	asked := &reads{before: func(_ context.Context, what string) error {
		if what == "Namespace home-blue" {
			return apierrors.NewTooManyRequests("later", 1)
		}
		return nil
	}}
	options := Options{Live: cluster(t, asked.funcs(), at("7", unchanged)), Watched: cluster(t, interceptor.Funcs{}, at("7", unchanged))}
	if _, err := New(options).Observe(t.Context(), shop); !apierrors.IsTooManyRequests(err) {
		t.Errorf("error %v, want the API server's", err)
	}
}
