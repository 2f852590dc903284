package apply

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/config"
	"github.com/lockstep-dev/lockstep/internal/plan"
	"github.com/lockstep-dev/lockstep/internal/render"
	"github.com/lockstep-dev/lockstep/internal/testkit/apiserver"
)

// server is the API server of all tests; asController has the rights of the controller as it ships, and no more.
var (
	server       *apiserver.Server
	asController *rest.Config
)

func TestMain(m *testing.M) {
	render.MaybeChild()
	flag.Parse()
	if testing.Short() {
		os.Exit(m.Run())
	}
	code, err := withServer(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(code)
}

func withServer(m *testing.M) (int, error) {
	var err error
	if server, err = apiserver.Start(); err != nil {
		return 0, err
	}
	defer func() { _ = server.Stop() }()
	if asController, err = controllerConfig(); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

func controllerConfig() (*rest.Config, error) {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: config.Namespace, Name: config.Controller}}
	request := &authenticationv1.TokenRequest{}
	if err := server.Client.SubResource("token").Create(context.Background(), account, request); err != nil {
		return nil, err
	}
	cfg := rest.AnonymousClientConfig(server.Config)
	cfg.BearerToken = request.Status.Token
	cfg.QPS, cfg.Burst = -1, -1
	return cfg, nil
}

// world is a Stack in namespaces of its own.
type world struct {
	t       *testing.T
	ctx     context.Context
	applier *Applier
	clock   time.Time
	s       *plan.Snapshot
}

var worlds atomic.Int32

// newWorld makes a Stack whose ServiceAccount has its rights in its home; its slots are not prepared.
func newWorld(t *testing.T) *world {
	t.Helper()
	if testing.Short() {
		t.Skip("needs an API server")
	}
	home := fmt.Sprintf("team%d", worlds.Add(1))
	w := &world{t: t, ctx: t.Context(), clock: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	live, err := client.New(asController, client.Options{Scheme: server.Scheme})
	w.must(err)
	w.applier = New(Options{
		Client: live, Config: asController, ControllerNamespace: config.Namespace,
		WorkDir: t.TempDir(), Clock: func() time.Time { return w.clock },
	})
	w.make(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: home}})
	w.make(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: v1alpha1.DefaultServiceAccount}})
	w.make(&rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: v1alpha1.ReleaserClusterRole},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: v1alpha1.ReleaserClusterRole},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: home, Name: v1alpha1.DefaultServiceAccount}},
	})
	w.s = &plan.Snapshot{Stack: stackIn(home)}
	w.make(w.s.Stack.DeepCopy())
	return w
}

func stackIn(home string) v1alpha1.Stack {
	stack := v1alpha1.Stack{ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: "shop"}}
	stack.Spec.Source.Git = v1alpha1.GitSource{URL: "https://git.example.com/shop.git", Ref: v1alpha1.GitRef{Branch: "main"}, Path: "."}
	stack.Spec.Source.Plain = &v1alpha1.PlainSource{}
	stack.Spec.ServiceAccountName = v1alpha1.DefaultServiceAccount
	stack.Spec.HistoryLimit = 10
	for _, color := range []string{"blue", "green"} {
		stack.Spec.Slots = append(stack.Spec.Slots, v1alpha1.Slot{Name: color, Namespace: home + "-" + color})
	}
	stack.Spec.Entries = []v1alpha1.Entry{{
		Name:      "web",
		HTTPRoute: &v1alpha1.HTTPRouteEntry{ParentRefs: []v1alpha1.ParentRef{{Name: "public", Namespace: "gateways"}}},
		Backend:   v1alpha1.Backend{Service: "frontend", Port: 80},
	}}
	return stack
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// make creates an object as an administrator.
func (w *world) make(o client.Object) {
	w.t.Helper()
	w.must(server.Client.Create(w.ctx, o))
}

// prepare makes a slot usable.
func (w *world) prepare(slot string) {
	w.t.Helper()
	w.ok(plan.PrepareSlot{Slot: slot})
}

// release makes a started Release with frozen content for green.
func (w *world) release(name, manifests string) plan.ReleaseRef {
	w.t.Helper()
	r := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: w.s.Stack.Namespace, Name: name}}
	r.Spec.Stack = w.s.Stack.Name
	w.make(r)
	parts, digest, err := render.Encode(parse(w.t, manifests))
	w.must(err)
	secrets, err := w.applier.freeze(w.ctx, &w.s.Stack, parts)
	w.must(err)
	ref := plan.ReleaseRef{Name: r.Name, UID: r.UID}
	w.ok(plan.CopyContent{Release: ref, Started: v1alpha1.ReleaseStarted{
		At: metav1.NewTime(w.clock), Digest: digest, StepsSchema: 1, Steps: []v1alpha1.Step{{Kind: v1alpha1.StepRender}},
		Members: []v1alpha1.ReleaseMember{},
		Content: []v1alpha1.SlotContent{{Slot: "green", Digest: digest, Secrets: secrets}},
	}})
	w.must(server.Client.Get(w.ctx, client.ObjectKeyFromObject(r), r))
	w.s.Releases = append(w.s.Releases, *r)
	w.s.Stack.Status.Units = []v1alpha1.UnitStatus{{
		Name: plan.UnitAll, ActiveRelease: name, ActiveSlot: "green",
		Step: &v1alpha1.StepStatus{Kind: v1alpha1.StepDeploy, Attempt: 1},
	}}
	return ref
}

func parse(t *testing.T, manifests string) []*unstructured.Unstructured {
	t.Helper()
	var all []*unstructured.Unstructured
	for document := range strings.SplitSeq(manifests, "---\n") {
		o := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(document), &o.Object); err != nil {
			t.Fatal(err)
		}
		if len(o.Object) > 0 {
			all = append(all, o)
		}
	}
	return all
}

// ok carries out an action that must go well.
func (w *world) ok(action plan.Action) {
	w.t.Helper()
	result, err := w.applier.Do(w.ctx, w.s, action)
	w.must(err)
	for _, o := range result {
		if !o.OK {
			w.t.Fatalf("%s %s: %s: %s", action.Verb(), action.Object(), o.Reason, o.Message)
		}
	}
}

// refused carries out an action that people must put right, and returns what it says.
func (w *world) refused(action plan.Action, reason string) string {
	w.t.Helper()
	result, err := w.applier.Do(w.ctx, w.s, action)
	w.must(err)
	if len(result) != 1 || result[0].OK || result[0].Reason != reason {
		w.t.Fatalf("%s %s: got %+v, want %s", action.Verb(), action.Object(), result, reason)
	}
	return result[0].Message
}

// get reads an object of green's namespace.
func (w *world) get(apiVersion, kind, name string) *unstructured.Unstructured {
	w.t.Helper()
	o := w.find(apiVersion, kind, name)
	if o == nil {
		w.t.Fatalf("%s %s does not exist", kind, name)
	}
	return o
}

func (w *world) find(apiVersion, kind, name string) *unstructured.Unstructured {
	w.t.Helper()
	like := &unstructured.Unstructured{}
	like.SetAPIVersion(apiVersion)
	like.SetKind(kind)
	like.SetNamespace(w.s.Stack.Namespace + "-green")
	like.SetName(name)
	o, err := look(w.ctx, server.Client, like)
	w.must(err)
	return o
}

// edit patches an object of green's namespace as a person would.
func (w *world) edit(o *unstructured.Unstructured, patch string) {
	w.t.Helper()
	w.must(server.Client.Patch(w.ctx, o.DeepCopy(), client.RawPatch(types.StrategicMergePatchType, []byte(patch)), client.FieldOwner("kubectl-edit")))
}

func field(o *unstructured.Unstructured, fields ...string) any {
	value, _, _ := unstructured.NestedFieldNoCopy(o.Object, fields...)
	return value
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q does not mention %q", text, part)
		}
	}
}
