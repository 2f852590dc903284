package controller

import (
	"context"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
	"github.com/lockstep-dev/lockstep/internal/testkit/apiserver"
)

// triggers tells of every pass over the Stack, which do nothing.
type triggers struct {
	t      *testing.T
	server *apiserver.Server
	stack  types.NamespacedName
	passes chan struct{}
}

func (w *triggers) Observe(ctx context.Context, key types.NamespacedName) (*plan.Snapshot, error) {
	stack := &v1alpha1.Stack{}
	if err := w.server.Client.Get(ctx, key, stack); err != nil {
		return nil, err
	}
	if key == w.stack {
		w.passes <- struct{}{}
	}
	return &plan.Snapshot{Stack: *stack}, nil
}

func asItIs(s plan.Snapshot, _ time.Time) plan.Plan { return plan.Plan{Status: s.Stack.Status} }

// calm waits until no passes have come for a while.
func (w *triggers) calm() {
	for {
		select {
		case <-w.passes:
		case <-time.After(300 * time.Millisecond):
			return
		}
	}
}

func (w *triggers) expect(name string, want bool, do func() error) {
	w.t.Helper()
	w.calm()
	if err := do(); err != nil {
		w.t.Fatalf("%s: %v", name, err)
	}
	patience := 10 * time.Second
	if !want {
		patience = 700 * time.Millisecond
	}
	got := false
	select {
	case <-w.passes:
		got = true
	case <-time.After(patience):
	}
	if got != want {
		w.t.Errorf("%s: a pass %v, want %v", name, got, want)
	}
}

func (w *triggers) create(o client.Object) func() error {
	return func() error { return w.server.Client.Create(context.Background(), o) }
}

// label changes an object, in a way that means nothing.
func (w *triggers) label(o client.Object) func() error {
	return w.patch(o, `{"metadata":{"labels":{"touched":"`+time.Now().Format("150405.000000000")+`"}}}`)
}

func (w *triggers) patch(o client.Object, patch string) func() error {
	return func() error {
		return w.server.Client.Patch(context.Background(), o, client.RawPatch(types.MergePatchType, []byte(patch)))
	}
}

func TestWhatTriggersAPass(t *testing.T) {
	server := realServer(t)
	w := &triggers{t: t, server: server, stack: types.NamespacedName{Namespace: fresh("triggers"), Name: "shop"}, passes: make(chan struct{}, 1000)}
	startController(t, server, Options{Observer: w, Applier: &fakeApplier{}, next: asItIs})
	ours := map[string]string{v1alpha1.LabelStack: "shop", v1alpha1.LabelStackNamespace: w.stack.Namespace}
	in := func(name string, labels map[string]string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: w.stack.Namespace + "-blue", Name: name, Labels: labels}
	}
	for _, name := range []string{w.stack.Namespace, w.stack.Namespace + "-blue"} {
		mustDo(t, w.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: ours}})())
	}

	stack := adoptingStack(w.stack)
	w.expect("a Stack", true, w.create(stack))
	w.expect("its annotation", true, w.patch(stack, `{"metadata":{"annotations":{"a":"b"}}}`))
	w.expect("its spec", true, w.patch(stack, `{"spec":{"historyLimit":5}}`))
	w.expect("its status", false, func() error {
		stack.Status = epoch(3)
		return server.Client.Status().Update(context.Background(), stack)
	})

	deployment := bareDeployment(in("web", ours))
	w.expect("a workload", true, w.create(deployment))
	w.expect("the status of a workload", true, func() error {
		deployment.Status.ObservedGeneration = 1
		return server.Client.Status().Update(context.Background(), deployment)
	})
	w.expect("a workload of nobody", false, w.create(bareDeployment(in("stranger", nil))))
	w.expect("a workload of another Stack", false, w.create(bareDeployment(in("neighbour", map[string]string{v1alpha1.LabelStack: "other", v1alpha1.LabelStackNamespace: w.stack.Namespace}))))
	w.expect("endpoints", true, w.create(&discoveryv1.EndpointSlice{ObjectMeta: in("web-1", ours), AddressType: discoveryv1.AddressTypeIPv4}))
	w.expect("a namespace", true, w.label(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.stack.Namespace + "-blue"}}))

	release := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: w.stack.Namespace, Name: "r1"}, Spec: v1alpha1.ReleaseSpec{Stack: "shop"}}
	w.expect("a Release", true, w.create(release))
	w.expect("a Decision", true, w.create(&v1alpha1.Decision{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.stack.Namespace, Name: "d1"},
		Spec:       v1alpha1.DecisionSpec{Release: "r1", ReleaseUID: string(release.UID), Verb: v1alpha1.VerbAbort, By: "admin"},
	}))
	w.expect("the admission policy", true, w.label(&admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.DecisionPolicy}}))
	w.routes()
}

// routes are watched though they carry no label.
func (w *triggers) routes() {
	route := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"hosts": []any{"shop.example.com"}}}}
	route.SetGroupVersionKind(routeKinds()[0])
	route.SetNamespace(w.stack.Namespace)
	route.SetName("adopted")
	w.expect("a route that an entry names", true, w.create(route))
	w.expect("a change of it", true, w.patch(route, `{"spec":{"hosts":["api.example.com"]}}`))
	other := route.DeepCopy()
	other.SetName("other")
	other.SetResourceVersion("")
	w.expect("a route that no entry names", false, w.create(other))
}

// adoptingStack adopts a VirtualService that carries no label.
func adoptingStack(key types.NamespacedName) *v1alpha1.Stack {
	return &v1alpha1.Stack{
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name},
		Spec: v1alpha1.StackSpec{
			Source:  v1alpha1.Source{Git: v1alpha1.GitSource{URL: "https://git.example.com/shop.git", Ref: v1alpha1.GitRef{Branch: "main"}}, Plain: &v1alpha1.PlainSource{}},
			Entries: []v1alpha1.Entry{{Name: "web", VirtualService: &v1alpha1.VirtualServiceEntry{Name: "adopted"}, Backend: v1alpha1.Backend{Service: "web", Port: 80}}},
		},
	}
}

func bareDeployment(meta metav1.ObjectMeta) *appsv1.Deployment {
	labels := map[string]string{"app": meta.Name}
	return &appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{
		Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "shop/web:1"}}},
		},
	}}
}
