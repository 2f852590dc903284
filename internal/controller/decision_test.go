package controller

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

func TestADecisionAboutNothingIsRefused(t *testing.T) {
	release := func(stack string) *v1alpha1.Release {
		return &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: "home", Name: "shop-1", UID: "u1"}, Spec: v1alpha1.ReleaseSpec{Stack: stack}}
	}
	for name, test := range map[string]struct {
		cached, live *v1alpha1.Release
		says         string
	}{
		"a Stack takes it":                {release("shop"), release("shop"), ""},
		"its Release was not watched yet": {nil, release("shop"), ""},
		"its Release is gone":             {nil, nil, "release shop-1 with uid u1 does not exist"},
		"its Stack is gone":               {release("other"), release("other"), "there is no Stack other in namespace home"},
	} {
		t.Run(name, func(t *testing.T) {
			live, cached := newWorld(t, interceptor.Funcs{}), newWorld(t, interceptor.Funcs{})
			decision := func() *v1alpha1.Decision {
				return &v1alpha1.Decision{
					ObjectMeta: metav1.ObjectMeta{Namespace: "home", Name: "d1"},
					Spec:       v1alpha1.DecisionSpec{Release: "shop-1", ReleaseUID: "u1", Verb: v1alpha1.VerbPromote},
				}
			}
			seen := decision()
			mustDo(t, live.client.Create(context.Background(), seen))
			mustDo(t, cached.client.Create(context.Background(), decision()))
			if test.live != nil {
				mustDo(t, live.client.Create(context.Background(), test.live))
			}
			if test.cached != nil {
				mustDo(t, cached.client.Create(context.Background(), test.cached))
			}
			u := &unheard{client: halfway{Client: live.client, cache: cached.client}, live: live.client, events: live.events, clock: live.clock}
			_, err := u.Reconcile(context.Background(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(seen)})
			mustDo(t, err)
			mustDo(t, live.client.Get(context.Background(), client.ObjectKeyFromObject(seen), seen))
			if test.says == "" {
				if seen.Status.Result != "" {
					t.Errorf("it was answered: %+v", seen.Status)
				}
				return
			}
			if seen.Status.Result != v1alpha1.DecisionRefused || !strings.Contains(seen.Status.Message, test.says) || seen.Status.At == nil {
				t.Errorf("it was answered %+v, want it refused with %q", seen.Status, test.says)
			}
			if len(live.events.Events) != 1 {
				t.Errorf("%d events, want one", len(live.events.Events))
			}
		})
	}
}

// halfway reads from a cache, and writes what is live.
type halfway struct {
	client.Client
	cache client.Reader
}

func (h halfway) Get(ctx context.Context, key client.ObjectKey, o client.Object, options ...client.GetOption) error {
	return h.cache.Get(ctx, key, o, options...)
}

// With the rights that ship: a Decision about a Release that never was, and one whose Release goes before it is answered.
func TestDecisionsAboutNothingAreAnswered(t *testing.T) {
	server := realServer(t)
	ctx := context.Background()
	namespace := fresh("unheard")
	mustDo(t, server.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}))
	mustDo(t, server.Client.Create(ctx, adoptingStack(types.NamespacedName{Namespace: namespace, Name: "shop"})))
	release := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "shop-1"}, Spec: v1alpha1.ReleaseSpec{Stack: "shop"}}
	mustDo(t, server.Client.Create(ctx, release))
	idle := &triggers{t: t, server: server}
	startController(t, server, Options{Observer: idle, next: asItIs})

	about := func(name, uid string) *v1alpha1.Decision {
		d := &v1alpha1.Decision{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "d-"},
			Spec:       v1alpha1.DecisionSpec{Release: name, ReleaseUID: uid, Verb: v1alpha1.VerbAbort, By: "admin"},
		}
		mustDo(t, server.Client.Create(ctx, d))
		return d
	}
	refused := func(d *v1alpha1.Decision) {
		t.Helper()
		for began := time.Now(); d.Status.Result == ""; time.Sleep(50 * time.Millisecond) {
			if time.Since(began) > 10*time.Second {
				t.Fatalf("the decision about %s was never answered", d.Spec.Release)
			}
			mustDo(t, server.Client.Get(ctx, client.ObjectKeyFromObject(d), d))
		}
		if d.Status.Result != v1alpha1.DecisionRefused {
			t.Errorf("the decision about %s was answered %+v", d.Spec.Release, d.Status)
		}
	}
	refused(about("shop-9", "u9"))
	left := about("shop-1", string(release.UID))
	time.Sleep(300 * time.Millisecond)
	mustDo(t, server.Client.Get(ctx, client.ObjectKeyFromObject(left), left))
	if left.Status.Result != "" {
		t.Errorf("a decision that a Stack takes was answered: %+v", left.Status)
	}
	mustDo(t, server.Client.Delete(ctx, release))
	refused(left)
}
