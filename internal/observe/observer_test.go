package observe

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/entry"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

const controllerNamespace = "lockstep-system"

var shop = types.NamespacedName{Namespace: "home", Name: "shop"}

// cluster is a fake one; funcs make it fail.
func cluster(t *testing.T, funcs interceptor.Funcs, objects ...client.Object) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	for _, gvk := range []schema.GroupVersionKind{istioGatewayKind, apiGatewayKind, routeKind(httpEntry()), routeKind(virtualServiceEntry())} {
		scheme.AddKnownTypeWithName(gvk, &unstructured.Unstructured{})
		scheme.AddKnownTypeWithName(gvk.GroupVersion().WithKind(gvk.Kind+"List"), &unstructured.UnstructuredList{})
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithStatusSubresource(&v1alpha1.Stack{}).WithInterceptorFuncs(funcs).Build()
}

func routeKind(e v1alpha1.Entry) schema.GroupVersionKind { return entry.Spec{Entry: e}.Kind() }

func httpEntry() v1alpha1.Entry { return smallestStack().Spec.Entries[0] }

func virtualServiceEntry() v1alpha1.Entry {
	e := httpEntry()
	e.HTTPRoute = nil
	e.VirtualService = &v1alpha1.VirtualServiceEntry{Hosts: []string{"shop.example.com"}, Gateways: []string{"istio-system/public"}}
	return e
}

func observe(t *testing.T, c client.Reader) *plan.Snapshot {
	t.Helper()
	s, err := New(Options{Live: c, ControllerNamespace: controllerNamespace}).Observe(context.Background(), shop)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func slotNamespace(name string, labels map[string]string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
}

func TestSlotsAsTheirNamespacesSay(t *testing.T) {
	stack := smallestStack()
	stack.Spec.Slots = []v1alpha1.Slot{
		{Name: "ours", Namespace: "home-ours"},
		{Name: "new", Namespace: "home-new"},
		{Name: "foreign", Namespace: "elsewhere"},
		{Name: "absent", Namespace: "nowhere"},
		{Name: "theirs", Namespace: "home-theirs"},
	}
	c := cluster(
		t, interceptor.Funcs{}, stack,
		slotNamespace("home-ours", stackLabels()),
		&rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: "home-ours", Name: v1alpha1.ReleaserClusterRole},
			RoleRef:    rbacv1.RoleRef{Kind: "ClusterRole", Name: v1alpha1.ReleaserClusterRole},
			Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: "home", Name: "lockstep-releaser"}},
		},
		slotNamespace("elsewhere", stackLabels()),
		slotNamespace("home-theirs", map[string]string{v1alpha1.LabelStack: "shop", v1alpha1.LabelStackNamespace: "other"}),
	)

	want := []plan.Slot{
		{Name: "ours", Namespace: "home-ours", Exists: true, Consented: true, Bound: true},
		{Name: "new", Namespace: "home-new", Creatable: true},
		{Name: "foreign", Namespace: "elsewhere", Exists: true, Consented: true, Bound: true},
		{Name: "absent", Namespace: "nowhere", Bound: true},
		{Name: "theirs", Namespace: "home-theirs", Exists: true},
	}
	if diff := cmp.Diff(want, observe(t, c).Slots); diff != "" {
		t.Errorf("slots (-want +got):\n%s", diff)
	}
}

func TestReleasesDecisionsAndContentOfThisStackAlone(t *testing.T) {
	release := func(name, stack string, secrets ...string) *v1alpha1.Release {
		r := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: "home", Name: name}, Spec: v1alpha1.ReleaseSpec{Stack: stack}}
		if len(secrets) > 0 {
			r.Status.Started = &v1alpha1.ReleaseStarted{Content: []v1alpha1.SlotContent{{Slot: "blue", Secrets: secrets}}}
		}
		return r
	}
	decision := func(name, of string, result v1alpha1.DecisionResult) *v1alpha1.Decision {
		return &v1alpha1.Decision{
			ObjectMeta: metav1.ObjectMeta{Namespace: "home", Name: name},
			Spec:       v1alpha1.DecisionSpec{Release: of}, Status: v1alpha1.DecisionStatus{Result: result},
		}
	}
	s := observe(t, cluster(
		t, interceptor.Funcs{}, smallestStack(),
		release("whole", "shop", "c1", "c2"), release("lost", "shop", "c1", "c3"), release("pending", "shop"), release("other", "other", "c1"),
		decision("open", "whole", ""), decision("answered", "whole", v1alpha1.DecisionAccepted), decision("others", "other", ""),
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: controllerNamespace, Name: "c1"}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: controllerNamespace, Name: "c2", Labels: stackLabels(v1alpha1.LabelContent, "true")}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "home", Name: "c3"}},
	))

	if diff := cmp.Diff([]string{"lost", "pending", "whole"}, names(s.Releases)); diff != "" {
		t.Errorf("releases (-want +got):\n%s", diff)
	}
	if len(s.Decisions) != 1 || s.Decisions[0].Name != "open" {
		t.Errorf("decisions %v, want the open one of this Stack", s.Decisions)
	}
	if diff := cmp.Diff(map[string]bool{"whole": true, "lost": false}, s.Content); diff != "" {
		t.Errorf("content (-want +got):\n%s", diff)
	}
}

func names(releases []v1alpha1.Release) []string {
	var all []string
	for _, r := range releases {
		all = append(all, r.Name)
	}
	return all
}

func TestSecretsAreNeverRead(t *testing.T) {
	release := startedRelease()
	release.Status.Started.Content = []v1alpha1.SlotContent{{Slot: "blue", Secrets: []string{"c1"}}}
	c := cluster(t, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			if _, whole := o.(*corev1.Secret); whole {
				t.Errorf("Secret %s was read as a whole", key)
			}
			return c.Get(ctx, key, o, opts...)
		},
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			if _, secrets := list.(*corev1.SecretList); secrets {
				t.Error("Secrets were listed")
			}
			return c.List(ctx, list, opts...)
		},
	}, smallestStack(), &release)
	observe(t, c)
}

func TestTroubleWithReading(t *testing.T) {
	failing := func(fail func(o runtime.Object, namespace string) error) interceptor.Funcs {
		return interceptor.Funcs{
			Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
				if err := fail(o, key.Namespace); err != nil {
					return err
				}
				return c.Get(ctx, key, o, opts...)
			},
			List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
				listed := client.ListOptions{}
				listed.ApplyOptions(opts)
				if err := fail(list, listed.Namespace); err != nil {
					return err
				}
				return c.List(ctx, list, opts...)
			},
		}
	}
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "", nil)
	pods := func(err error) interceptor.Funcs {
		return failing(func(o runtime.Object, namespace string) error {
			if _, ok := o.(*corev1.PodList); ok && namespace == "home-blue" {
				return err
			}
			return nil
		})
	}
	route := func(err error) interceptor.Funcs {
		return failing(func(o runtime.Object, _ string) error {
			if o.GetObjectKind().GroupVersionKind().Kind == "HTTPRoute" {
				return err
			}
			return nil
		})
	}
	tests := []struct {
		name        string
		funcs       interceptor.Funcs
		slot, entry string
		fails       bool
	}{
		{name: "a slot that may not be read", funcs: pods(forbidden), slot: v1alpha1.ReasonForbidden, entry: v1alpha1.ReasonGatewayMissing},
		{name: "an API server that is busy", funcs: pods(apierrors.NewTooManyRequests("later", 1)), fails: true},
		{name: "an API server that is away", funcs: pods(context.DeadlineExceeded), fails: true},
		{name: "no such kind of route", funcs: route(&meta.NoKindMatchError{GroupKind: schema.GroupKind{Kind: "HTTPRoute"}}), entry: v1alpha1.ReasonRouterMissing},
		{name: "a kind of route that was removed", funcs: route(gonePage()), entry: v1alpha1.ReasonRouterMissing},
		{name: "a route that may not be read", funcs: route(forbidden), entry: v1alpha1.ReasonEntryUnreadable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := cluster(t, tt.funcs, smallestStack())
			s, err := New(Options{Live: c}).Observe(context.Background(), shop)
			if (err != nil) != tt.fails {
				t.Fatalf("error %v, want one: %v", err, tt.fails)
			}
			if err != nil {
				return
			}
			if got := reason(s.Slots[0].Problem); got != tt.slot {
				t.Errorf("the slot's problem is %q, want %q", got, tt.slot)
			}
			if got := reason(s.Entries[0].Problem); got != tt.entry {
				t.Errorf("the entry's problem is %q, want %q", got, tt.entry)
			}
		})
	}
}

// gonePage is what the API server answers where it has no such kind at all.
func gonePage() error {
	return apierrors.NewGenericServerResponse(404, "get", schema.GroupResource{Resource: "httproutes"}, "", "404 page not found", 0, true)
}

func reason(p *plan.Problem) string {
	if p == nil {
		return ""
	}
	return p.Reason
}

func TestStackThatIsGone(t *testing.T) {
	_, err := New(Options{Live: cluster(t, interceptor.Funcs{})}).Observe(context.Background(), shop)
	if !apierrors.IsNotFound(err) {
		t.Errorf("error %v, want NotFound", err)
	}
}

func TestClaims(t *testing.T) {
	stackAt := func(namespace, name string, at time.Time) *v1alpha1.Stack {
		s := smallestStack()
		s.Namespace, s.Name, s.CreationTimestamp = namespace, name, metav1.NewTime(at)
		s.Spec.Entries[0].HTTPRoute.Name, s.Spec.Entries[0].HTTPRoute.Namespace = "web", "edge"
		return WithDefaults(s)
	}
	elsewhere := func(s *v1alpha1.Stack) *v1alpha1.Stack {
		s.Spec.Entries[0].HTTPRoute.Name = "another"
		return s
	}
	sameSlot := func(s *v1alpha1.Stack) *v1alpha1.Stack {
		s.Spec.Slots[1].Namespace = "home-blue"
		return elsewhere(s)
	}
	tests := []struct {
		name      string
		other     *v1alpha1.Stack
		epoch     int64
		consented bool
		want      string
	}{
		{name: "an older Stack has the route", other: stackAt("other", "shop", monday), want: v1alpha1.ReasonEntryClaimed},
		{name: "a younger one wants it", other: stackAt("other", "shop", tuesday.Add(time.Hour))},
		{name: "of the same second, the first by name has it", other: stackAt("a", "shop", tuesday), want: v1alpha1.ReasonEntryClaimed},
		{name: "a route that carries our epoch is ours", other: stackAt("other", "shop", monday), epoch: 3},
		{name: "another route", other: elsewhere(stackAt("other", "shop", monday))},
		{name: "an older Stack has the namespace", other: sameSlot(stackAt("other", "shop", monday)), want: v1alpha1.ReasonEntryClaimed},
		{name: "a namespace that consents to this Stack is ours", other: sameSlot(stackAt("other", "shop", monday)), consented: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPass(New(Options{}), stackAt("home", "shop", tuesday))
			p.others = []v1alpha1.Stack{*tt.other}
			p.snapshot.Entries[0].Epoch = tt.epoch
			p.snapshot.Slots[0] = plan.Slot{Name: "blue", Namespace: "home-blue", Consented: tt.consented}

			p.refuseClaimed()

			if got := reason(p.snapshot.Entries[0].Problem); got != tt.want {
				t.Errorf("problem %q, want %q", got, tt.want)
			}
		})
	}
}
