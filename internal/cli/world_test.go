package cli_test

import (
	"context"
	"encoding/base64"
	"io"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/cli"
	"github.com/lockstep-dev/lockstep/internal/plan"
	"github.com/lockstep-dev/lockstep/internal/render"
)

// world is a cluster with a controller that does what it is told.
type world struct {
	t *testing.T
	c client.WithWatch
	// after is what the controller does, status by status, once made has been made; left is what remains of it.
	after  []*unstructured.Unstructured
	left   []*unstructured.Unstructured
	made   string
	acting bool
	// denied are the verbs that the user lacks.
	denied map[string]bool
	// forbidden are the kinds in slots that the user may not list.
	forbidden bool
	// unreadable are the kinds that the user may neither get nor list.
	unreadable map[string]bool
	// logs of containers, by namespace/pod/container; browsed are the addresses that a browser was started with.
	logs    map[string]string
	browsed []string
}

func newWorld(t *testing.T, objects, after []*unstructured.Unstructured) *world {
	t.Helper()
	w := &world{t: t, after: after, denied: map[string]bool{}, unreadable: map[string]bool{}, logs: map[string]string{}}
	objects = frozen(t, objects)
	b := fake.NewClientBuilder().WithScheme(cli.Scheme()).WithStatusSubresource(&v1alpha1.Stack{}, &v1alpha1.Release{}, &v1alpha1.Decision{})
	for _, u := range objects {
		if u.GetKind() == "Forbidden" {
			kinds, _, _ := unstructured.NestedStringSlice(u.Object, "kinds")
			w.forbidden = w.forbidden || len(kinds) == 0
			for _, kind := range kinds {
				w.unreadable[kind] = true
			}
			continue
		}
		b = b.WithObjects(typed(t, u))
	}
	w.c = b.WithInterceptorFuncs(interceptor.Funcs{Create: w.create, Get: w.get, List: w.list, Patch: w.patch}).Build()
	return w
}

func typed(t *testing.T, u *unstructured.Unstructured) client.Object {
	t.Helper()
	obj, err := cli.Scheme().New(u.GroupVersionKind())
	if runtime.IsNotRegisteredError(err) {
		return u
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, obj); err != nil {
		t.Fatal(err)
	}
	return obj.(client.Object)
}

func (w *world) list(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
	if _, deployments := list.(*appsv1.DeploymentList); deployments && w.forbidden {
		return apierrors.NewForbidden(schema.GroupResource{Group: "apps", Resource: "deployments"}, "", nil)
	}
	if err := w.refuse(c, list); err != nil {
		return err
	}
	err := c.List(ctx, list, opts...)
	if _, releases := list.(*v1alpha1.ReleaseList); releases && w.made != "" {
		w.act(c)
	}
	return err
}

// refuse is the API server's answer for what the user may not read.
func (w *world) refuse(c client.WithWatch, obj runtime.Object) error {
	gvk, err := c.GroupVersionKindFor(obj)
	if kind := strings.TrimSuffix(gvk.Kind, "List"); err == nil && w.unreadable[kind] {
		return apierrors.NewForbidden(schema.GroupResource{Group: gvk.Group, Resource: strings.ToLower(kind) + "s"}, "", nil)
	}
	return nil
}

// frozen freezes the objects of kind Frozen as the controller does, and records them in the status of their Release.
func frozen(t *testing.T, objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	t.Helper()
	var out []*unstructured.Unstructured
	for _, u := range objects {
		if u.GetKind() != "Frozen" {
			out = append(out, u)
			continue
		}
		release, slot := u.Object["release"].(string), u.Object["slot"].(string)
		var content []*unstructured.Unstructured
		for _, o := range u.Object["objects"].([]any) {
			content = append(content, &unstructured.Unstructured{Object: o.(map[string]any)})
		}
		chunks, _, err := render.Encode(content)
		if err != nil {
			t.Fatal(err)
		}
		digest, err := render.SizelessDigest(content)
		if err != nil {
			t.Fatal(err)
		}
		name := "lockstep-content-" + release + "-" + slot
		record(t, objects, release, map[string]any{"slot": slot, "digest": digest, "secrets": []any{name}})
		secret := &unstructured.Unstructured{Object: map[string]any{"data": map[string]any{render.SecretKey: base64.StdEncoding.EncodeToString(chunks[0])}}}
		secret.SetAPIVersion("v1")
		secret.SetKind("Secret")
		secret.SetNamespace("lockstep-system")
		secret.SetName(name)
		out = append(out, secret)
	}
	return out
}

func record(t *testing.T, objects []*unstructured.Unstructured, release string, content map[string]any) {
	t.Helper()
	for _, u := range objects {
		if u.GetKind() == "Release" && u.GetName() == release {
			path := []string{"status", "started", "content"}
			before, _, _ := unstructured.NestedSlice(u.Object, path...)
			if err := unstructured.SetNestedSlice(u.Object, append(before, content), path...); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// create answers reviews as an API server does, and has the controller act on what is made.
func (w *world) create(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
	switch o := obj.(type) {
	case *authenticationv1.SelfSubjectReview:
		o.Status.UserInfo.Username = "ana@example.com"
		return nil
	case *authorizationv1.SelfSubjectAccessReview:
		o.Status.Allowed = w.allows(o.Spec.ResourceAttributes)
		return nil
	case *authorizationv1.SubjectAccessReview:
		o.Status.Allowed = w.allows(o.Spec.ResourceAttributes)
		return nil
	case *v1alpha1.Release, *v1alpha1.Decision:
		obj.SetUID("uid-" + "made")
		obj.SetCreationTimestamp(metav1.NewTime(now))
		if err := c.Create(ctx, obj, opts...); err != nil {
			return err
		}
		w.made, w.left = obj.GetName(), w.after
		return nil
	}
	return c.Create(ctx, obj, opts...)
}

// allows: whoever is denied "update-any" may update what a Role names, and nothing else.
func (w *world) allows(a *authorizationv1.ResourceAttributes) bool {
	return !w.denied[a.Verb] && (a.Name != "" || !w.denied[a.Verb+"-any"])
}

// patch has the controller act on what is changed.
func (w *world) patch(ctx context.Context, c client.WithWatch, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
	if err := c.Patch(ctx, obj, patch, opts...); err != nil {
		return err
	}
	w.left = w.after
	w.act(c)
	return nil
}

// get lets the controller do its next deed once the command has looked at what it made: what is seen does not depend on
// who is faster.
func (w *world) get(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
	if err := w.refuse(c, obj); err != nil {
		return err
	}
	err := c.Get(ctx, key, obj, opts...)
	switch obj.(type) {
	case *v1alpha1.Release, *v1alpha1.Decision:
		if w.made != "" && !w.acting {
			w.act(c)
		}
	}
	return err
}

// act writes the next status of after.yaml. The name "made" is what was made.
func (w *world) act(c client.WithWatch) {
	if len(w.left) == 0 {
		return
	}
	w.acting = true
	defer func() { w.acting = false }()
	next := typed(w.t, w.left[0])
	w.left = w.left[1:]
	if next.GetName() == "made" {
		next.SetName(w.made)
	}
	current := next.DeepCopyObject().(client.Object)
	if err := c.Get(context.Background(), client.ObjectKeyFromObject(next), current); err != nil {
		w.t.Errorf("the controller of the test: %v", err)
		return
	}
	copyStatus(current, next)
	if err := c.Status().Update(context.Background(), current); err != nil {
		w.t.Errorf("the controller of the test: %v", err)
	}
}

func copyStatus(to, from client.Object) {
	switch to := to.(type) {
	case *v1alpha1.Stack:
		to.Status = from.(*v1alpha1.Stack).Status
	case *v1alpha1.Release:
		to.Status = from.(*v1alpha1.Release).Status
	case *v1alpha1.Decision:
		to.Status = from.(*v1alpha1.Decision).Status
	}
}

// log is that of the transcript; a container without one has not begun.
func (w *world) log(_ context.Context, _ *cli.Cluster, namespace, pod string, o *corev1.PodLogOptions) (io.ReadCloser, error) {
	if w.unreadable["PodLog"] {
		return nil, apierrors.NewForbidden(schema.GroupResource{Resource: "pods/log"}, pod, nil)
	}
	text, found := w.logs[namespace+"/"+pod+"/"+o.Container]
	if !found {
		return nil, apierrors.NewBadRequest("container \"" + o.Container + "\" in pod \"" + pod + "\" is waiting to start: ContainerCreating")
	}
	lines := strings.SplitAfter(text, "\n")
	if n := len(lines) - 1; o.TailLines != nil && int(*o.TailLines) < n {
		lines = lines[n-int(*o.TailLines):]
	}
	return io.NopCloser(strings.NewReader(strings.Join(lines, ""))), nil
}

func (w *world) options(c clock.Clock, streams genericclioptions.IOStreams) cli.Options {
	return cli.Options{
		IOStreams: streams,
		Clock:     c,
		Connect: func(flags *genericclioptions.ConfigFlags) (*cli.Cluster, error) {
			namespace := "shop"
			if flags.Namespace != nil && *flags.Namespace != "" {
				namespace = *flags.Namespace
			}
			return &cli.Cluster{WithWatch: w.c, Namespace: namespace, Default: "shop"}, nil
		},
		Observe: func(ctx context.Context, c *cli.Cluster, stack *v1alpha1.Stack) (*plan.Snapshot, []string, error) {
			return cli.Observe(ctx, c, stack)
		},
		Render: cli.Render,
		Screen: func() (int, bool) { return 0, false },
		Getenv: func(string) string { return "" },
		Random: func(int) string { return "x1y2z" },
		Logs:   w.log,
		Browse: func(_ context.Context, address string) error {
			w.browsed = append(w.browsed, address)
			return nil
		},
		Version: "v0.0.0-test",
	}
}
