package observe

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// reads are what a cluster was asked for, as "Release home/r1" or, of lists, "DeploymentList home-blue".
type reads struct {
	mu    sync.Mutex
	asked []string
	// before fails what is read, or holds it up, where it is not nil.
	before func(ctx context.Context, what string) error
}

func (r *reads) note(ctx context.Context, what string) error {
	r.mu.Lock()
	r.asked = append(r.asked, what)
	r.mu.Unlock()
	if r.before == nil {
		return nil
	}
	return r.before(ctx, what)
}

func (r *reads) funcs() interceptor.Funcs {
	return interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			if err := r.note(ctx, kindOf(o)+" "+strings.TrimPrefix(key.String(), "/")); err != nil {
				return err
			}
			return c.Get(ctx, key, o, opts...)
		},
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			listed := client.ListOptions{}
			listed.ApplyOptions(opts)
			if err := r.note(ctx, kindOf(list)+" "+listed.Namespace); err != nil {
				return err
			}
			return c.List(ctx, list, opts...)
		},
	}
}

// of are the reads of some kinds, sorted.
func (r *reads) of(kinds ...string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []string
	for _, what := range r.asked {
		if kind, _, _ := strings.Cut(what, " "); slices.Contains(kinds, kind) {
			found = append(found, what)
		}
	}
	slices.Sort(found)
	return found
}

func kindOf(o runtime.Object) string {
	if kind := o.GetObjectKind().GroupVersionKind().Kind; kind != "" {
		return kind
	}
	return reflect.TypeOf(o).Elem().Name()
}

// watching observes what is live, with what was watched.
func watching(t *testing.T, watched, live client.Reader) *plan.Snapshot {
	t.Helper()
	s, err := New(Options{Live: live, Watched: watched, ControllerNamespace: controllerNamespace}).Observe(t.Context(), shop)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// at is the Stack as it was written at a resourceVersion.
func at(resourceVersion string, change func(*v1alpha1.Stack)) *v1alpha1.Stack {
	stack := smallestStack()
	stack.ResourceVersion = resourceVersion
	change(stack)
	return stack
}

func unchanged(*v1alpha1.Stack) {}

// speakingOf is a Stack whose status names a release.
func speakingOf(release string) func(*v1alpha1.Stack) {
	return func(s *v1alpha1.Stack) {
		s.Status.Units = []v1alpha1.UnitStatus{{Name: plan.UnitAll, LiveRelease: release}}
	}
}

// releaseSeen is a release of the Stack, with a label that tells who has seen it so.
func releaseSeen(by, name string, outcome v1alpha1.Outcome) *v1alpha1.Release {
	r := &v1alpha1.Release{
		ObjectMeta: metav1.ObjectMeta{Namespace: "home", Name: name, Labels: map[string]string{"seen": by}},
		Spec:       v1alpha1.ReleaseSpec{Stack: "shop"},
	}
	if outcome != "" {
		r.Status.Ended = &v1alpha1.ReleaseEnded{Outcome: outcome}
	}
	return r
}
