package apply

import (
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/entry"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// route reads the entry's route as it is; nil where there is none.
func (w *world) route() *unstructured.Unstructured {
	w.t.Helper()
	r, err := w.applier.openRoute(w.ctx, w.s, "web")
	w.must(err)
	return r.live
}

func (w *world) liveSlot() string {
	w.t.Helper()
	spec, err := entrySpec(&w.s.Stack, "web")
	w.must(err)
	for _, weight := range entry.Read(spec, w.route()).Weights {
		if weight.Weight == 100 {
			return weight.Slot
		}
	}
	return ""
}

func routed(t *testing.T) *world {
	w := newWorld(t)
	for _, slot := range w.s.Stack.Spec.Slots {
		w.prepare(slot.Name)
		w.s.Slots = append(w.s.Slots, plan.Slot{Name: slot.Name, Namespace: slot.Namespace, Exists: true, Consented: true})
	}
	return w
}

func TestEntryIsMadeAndMoved(t *testing.T) {
	w := routed(t)
	w.ok(plan.WriteEntry{Entry: "web", Intent: v1alpha1.RouteIntent{Epoch: 1, Live: "blue"}})
	if got := w.liveSlot(); got != "blue" {
		t.Fatalf("users are on %q", got)
	}
	read := w.route().GetResourceVersion()
	w.ok(plan.WriteEntry{Entry: "web", ResourceVersion: read, Intent: v1alpha1.RouteIntent{Epoch: 2, Live: "green"}})
	if got := w.liveSlot(); got != "green" {
		t.Fatalf("users are on %q", got)
	}
	if w.find("gateway.networking.k8s.io/v1beta1", "ReferenceGrant", "lockstep-shop-web") == nil {
		t.Error("there is no ReferenceGrant in the slot")
	}
	_, err := w.applier.Do(w.ctx, w.s, plan.WriteEntry{Entry: "web", ResourceVersion: read, Intent: v1alpha1.RouteIntent{Epoch: 3, Live: "blue"}})
	if !apierrors.IsConflict(err) {
		t.Errorf("a write with what was read before another write: got %v, want a conflict", err)
	}
	w.ok(plan.WriteEntry{Entry: "web", ResourceVersion: w.route().GetResourceVersion(), Intent: v1alpha1.RouteIntent{Epoch: 1, Live: "blue"}})
	if got := w.liveSlot(); got != "green" {
		t.Errorf("a late plan has moved users to %q", got)
	}
}

func TestGrantsThatThePassSawInPlaceAreNotWritten(t *testing.T) {
	for name, test := range map[string]struct {
		granted map[string]string
		made    bool
	}{
		"seen in this slot":                {granted: map[string]string{"web": "green"}},
		"seen in the other slot":           {granted: map[string]string{"web": "blue"}, made: true},
		"another entry's in this slot":     {granted: map[string]string{"api": "green", "web": "blue"}, made: true},
		"this slot's, and another entry's": {granted: map[string]string{"api": "blue", "web": "green"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := routed(t)
			for _, entry := range []string{"api", "web"} {
				if slot := test.granted[entry]; slot != "" {
					w.s.Entries = append(w.s.Entries, plan.Entry{Name: entry, Granted: []string{w.s.Stack.Namespace + "-" + slot}})
				}
			}
			w.ok(plan.WriteEntry{Entry: "web", Intent: v1alpha1.RouteIntent{Epoch: 1, Live: "green"}})
			if got := w.find("gateway.networking.k8s.io/v1beta1", "ReferenceGrant", "lockstep-shop-web") != nil; got != test.made {
				t.Errorf("a ReferenceGrant was made in green: %v, want %v", got, test.made)
			}
		})
	}
}

func TestLateEntryWriteFails(t *testing.T) {
	w := routed(t)
	w.ok(plan.WriteEntry{Entry: "web", Intent: v1alpha1.RouteIntent{Epoch: 1, Live: "blue"}})
	read := w.route().GetResourceVersion()
	w.beforeWrites(func() {
		route := w.route()
		route.SetLabels(map[string]string{"someone": "else"})
		w.must(server.Client.Update(w.ctx, route))
	})
	_, err := w.applier.Do(w.ctx, w.s, plan.WriteEntry{Entry: "web", ResourceVersion: read, Intent: v1alpha1.RouteIntent{Epoch: 2, Live: "green"}})
	if !apierrors.IsConflict(err) || w.liveSlot() != "blue" {
		t.Errorf("got %v, and users are on %q", err, w.liveSlot())
	}
}

func TestEntryWithoutRights(t *testing.T) {
	w := routed(t)
	w.must(server.Client.Delete(w.ctx, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: w.s.Stack.Namespace, Name: v1alpha1.ReleaserClusterRole}}))
	message := w.refused(plan.WriteEntry{Entry: "web", Intent: v1alpha1.RouteIntent{Epoch: 1, Live: "blue"}}, v1alpha1.ReasonForbidden)
	contains(t, message, "entry web", "kubectl create rolebinding lockstep-releaser --namespace "+w.s.Stack.Namespace)
}

func TestEntryOfAnotherStack(t *testing.T) {
	w := routed(t)
	w.s.Stack.Spec.Entries[0].HTTPRoute = &v1alpha1.HTTPRouteEntry{Name: "theirs"}
	w.refused(plan.WriteEntry{Entry: "web", Intent: v1alpha1.RouteIntent{Epoch: 1, Live: "blue"}}, v1alpha1.ReasonEntryMissing)
}
