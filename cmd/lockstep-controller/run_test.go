package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	gogit "github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/config"
	"github.com/lockstep-dev/lockstep/internal/render"
	"github.com/lockstep-dev/lockstep/internal/testkit/apiserver"
	"github.com/lockstep-dev/lockstep/internal/testkit/chart"
)

func TestMain(m *testing.M) {
	render.MaybeChild()
	os.Exit(m.Run())
}

// TestControllerRunsWithTheRightsThatItShipsWith starts it as its own ServiceAccount, lets it deploy a release, and looks
// for what it may not do.
func TestControllerRunsWithTheRightsThatItShipsWith(t *testing.T) {
	if testing.Short() {
		t.Skip("needs an API server")
	}
	server := startServer(t)
	team(t, server.Client)
	deploys(t, server, testFlags())
}

// TestControllerRunsInNamespacesThatItIsGiven: as the chart installs it with rbac.scope Namespaced.
func TestControllerRunsInNamespacesThatItIsGiven(t *testing.T) {
	if testing.Short() {
		t.Skip("needs an API server")
	}
	server := startServer(t)
	team(t, server.Client)
	for _, slot := range []string{"blue", "green"} {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop-" + slot, Labels: map[string]string{
			v1alpha1.LabelStack: "shop", v1alpha1.LabelStackNamespace: "shop",
		}}}
		must(t, server.Client.Create(t.Context(), ns))
	}
	must(t, server.Client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "other"}}))
	f := testFlags()
	f.namespaces, f.gateways = []string{"shop", "shop-blue", "shop-green"}, []string{"default"}
	narrow(t, server, `{rbac: {scope: Namespaced, namespaces: [shop, shop-blue, shop-green], gatewayNamespaces: [default]}}`)
	deploys(t, server, f)

	as, err := client.New(ownConfig(t, server), client.Options{Scheme: server.Scheme})
	must(t, err)
	for _, list := range []client.ObjectList{&v1alpha1.StackList{}, &corev1.PodList{}, &corev1.NamespaceList{}} {
		if err := as.List(t.Context(), list); err == nil {
			t.Errorf("it may list %T everywhere", list)
		}
	}
	if err := as.List(t.Context(), &corev1.PodList{}, client.InNamespace("other")); err == nil {
		t.Error("it may list Pods of a namespace that it was not given")
	}
}

// narrow takes the rights in the whole cluster away, and gives those of the chart with values.
func narrow(t *testing.T, server *apiserver.Server, values string) {
	t.Helper()
	must(t, server.Client.Delete(t.Context(), &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: config.Controller}}))
	objects, err := chart.Render("../../charts/lockstep", config.Namespace, values)
	must(t, err)
	for _, o := range objects {
		if o.GroupVersionKind().Group == rbacv1.GroupName && o.GetName() != v1alpha1.ReleaserClusterRole {
			must(t, server.Apply(o))
		}
	}
}

func startServer(t *testing.T) *apiserver.Server {
	t.Helper()
	server, err := apiserver.Start()
	must(t, err)
	t.Cleanup(func() { _ = server.Stop() })
	return server
}

// deploys starts the controller as its own ServiceAccount, and waits until it has deployed the team's release; nothing
// that it wanted on the way may have been forbidden.
func deploys(t *testing.T, server *apiserver.Server, f *flags) {
	t.Helper()
	cfg, said := ownConfig(t, server), captureLog()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, cfg, f) }()

	waitFor(t, server.Client, said, func() bool {
		if len(ended) > 0 {
			t.Fatalf("it ended by itself: %v", <-ended)
		}
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop-blue", Name: "frontend"}}
		err := server.Client.Get(ctx, client.ObjectKeyFromObject(d), d)
		return err == nil && d.Spec.Template.Labels[v1alpha1.LabelRelease] == "shop-1"
	})
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("it did not end well: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("it did not end")
	}
	for line := range strings.Lines(said.String()) {
		ending := strings.Contains(line, "context canceled") || strings.Contains(line, `err="leader election lost"`)
		if strings.Contains(line, "forbidden") || (strings.Contains(line, "level=ERROR") && !ending) {
			t.Error(line)
		}
	}
}

func testFlags() *flags {
	f := &flags{}
	f.add(&cobra.Command{})
	f.metricsAddress, f.probeAddress, f.namespace = "0", "0", config.Namespace
	f.leaderElect, f.allowFileURLs, f.again = true, true, true
	f.qps, f.burst = -1, -1
	return f
}

// team makes a namespace with all that a team has to make, and asks for a release.
func team(t *testing.T, c client.Client) {
	t.Helper()
	meta := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: "shop", Name: name} }
	stack := &v1alpha1.Stack{ObjectMeta: meta("shop")}
	stack.Spec.Source.Git.URL = "file://" + repository(t)
	stack.Spec.Source.Git.Ref.Branch = "main"
	stack.Spec.Source.Plain = &v1alpha1.PlainSource{}
	stack.Spec.Start.When = v1alpha1.StartCommit
	stack.Spec.Entries = []v1alpha1.Entry{{
		Name:      "web",
		HTTPRoute: &v1alpha1.HTTPRouteEntry{ParentRefs: []v1alpha1.ParentRef{{Name: "public"}}},
		Backend:   v1alpha1.Backend{Service: "frontend", Port: 80},
	}}
	release := &v1alpha1.Release{ObjectMeta: meta("shop-1")}
	release.Spec.Stack = "shop"
	for _, o := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}},
		&corev1.ServiceAccount{ObjectMeta: meta(v1alpha1.DefaultServiceAccount)},
		&rbacv1.RoleBinding{
			ObjectMeta: meta(v1alpha1.DefaultServiceAccount),
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: v1alpha1.ReleaserClusterRole},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "shop", Name: v1alpha1.DefaultServiceAccount}},
		},
		gateway(), release, stack,
	} {
		must(t, c.Create(t.Context(), o))
	}
}

func gateway() client.Object {
	g := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"gatewayClassName": "none",
		"listeners":        []any{map[string]any{"name": "http", "port": int64(80), "protocol": "HTTP"}},
	}}}
	g.SetAPIVersion("gateway.networking.k8s.io/v1")
	g.SetKind("Gateway")
	g.SetNamespace("shop")
	g.SetName("public")
	return g
}

const manifests = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: frontend}
spec:
  selector: {matchLabels: {app: frontend}}
  template: {metadata: {labels: {app: frontend}}, spec: {containers: [{name: c, image: example.com/frontend}]}}
---
apiVersion: v1
kind: Service
metadata: {name: frontend}
spec: {selector: {app: frontend}, ports: [{port: 80}]}
`

// repository makes one that holds the manifests, and returns its folder.
func repository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	repo, err := gogit.PlainInitWithOptions(dir, &gogit.PlainInitOptions{InitOptions: gogit.InitOptions{DefaultBranch: plumbing.Main}})
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "all.yaml"), []byte(manifests), 0o600))
	tree, err := repo.Worktree()
	must(t, err)
	_, err = tree.Add("all.yaml")
	must(t, err)
	_, err = tree.Commit("first", &gogit.CommitOptions{Author: &object.Signature{Name: "t", Email: "t@example.com", When: time.Unix(1, 0)}})
	must(t, err)
	return dir
}

func ownConfig(t *testing.T, server *apiserver.Server) *rest.Config {
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: config.Namespace, Name: config.Controller}}
	request := &authenticationv1.TokenRequest{}
	must(t, server.Client.SubResource("token").Create(t.Context(), account, request))
	cfg := rest.AnonymousClientConfig(server.Config)
	cfg.BearerToken = request.Status.Token
	return cfg
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func waitFor(t *testing.T, c client.Client, said fmt.Stringer, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !done(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			stack := &v1alpha1.Stack{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop"}}
			_ = c.Get(t.Context(), client.ObjectKeyFromObject(stack), stack)
			t.Fatalf("the release was not deployed; the Stack says %+v, and the log\n%s", stack.Status, said)
		}
	}
}

// safeBuffer can be written to and read at the same time.
type safeBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

// String is what was written so far.
func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

// captureLog returns what is logged from now on. controller-runtime takes one logger in a process.
func captureLog() *safeBuffer {
	logged.mu.Lock()
	defer logged.mu.Unlock()
	logged.buffer.Reset()
	setLogger.Do(func() { ctrl.SetLogger(logr.FromSlogHandler(slog.NewTextHandler(logged, nil))) })
	return logged
}

var (
	logged    = &safeBuffer{}
	setLogger sync.Once
)
