package cli_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gogit "github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing/object"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/cli"
)

// TestReadLog asks for the log of a container as the API has it.
func TestReadLog(t *testing.T) {
	var asked string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.String()
		_, _ = io.WriteString(w, "hello\n")
	}))
	defer server.Close()
	tail := int64(5)
	c := &cli.Cluster{Config: &rest.Config{Host: server.URL}}
	stream, err := cli.ReadLog(t.Context(), c, "shop-blue", "cart-1", &corev1.PodLogOptions{Container: "cart", TailLines: &tail, Timestamps: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stream.Close() }()
	if text, err := io.ReadAll(stream); err != nil || string(text) != "hello\n" {
		t.Errorf("read %q, %v", text, err)
	}
	if want := "/api/v1/namespaces/shop-blue/pods/cart-1/log?container=cart&tailLines=5&timestamps=true"; asked != want {
		t.Errorf("asked for %s, want %s", asked, want)
	}
}

func releasedPod(name, member string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "shop-blue", Labels: map[string]string{
			v1alpha1.LabelStack: "shop", v1alpha1.LabelRelease: "shop-aaa", v1alpha1.LabelMember: member,
		}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: member}}},
	}
}

// TestFollow follows logs: a Pod that comes later is followed too, and no line is shown twice though a log is opened anew.
func TestFollow(t *testing.T) {
	w := newWorld(t, nil, nil)
	stack := shopStack()
	stack.Status.Units = []v1alpha1.UnitStatus{{Name: "all", LiveSlot: "blue", LiveRelease: "shop-aaa"}}
	release := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Name: "shop-aaa", Namespace: "shop"}, Spec: v1alpha1.ReleaseSpec{Stack: "shop"}}
	for _, o := range []func() error{
		func() error { return w.c.Create(t.Context(), stack) },
		func() error { return w.c.Status().Update(t.Context(), stack) },
		func() error { return w.c.Create(t.Context(), release) },
		func() error { return w.c.Create(t.Context(), releasedPod("frontend-1", "frontend")) },
	} {
		if err := o(); err != nil {
			t.Fatal(err)
		}
	}
	w.made = ""
	w.logs["shop-blue/frontend-1/frontend"] = "2026-03-01T11:58:00.1Z frontend begins\n2026-03-01T11:58:01.1Z frontend goes on\n"
	w.logs["shop-blue/cart-1/cart"] = "2026-03-01T11:58:02.1Z cart begins\n"
	out := &buffer{}
	root := cli.New(w.options(clock.RealClock{}, genericclioptions.IOStreams{In: strings.NewReader(""), Out: out, ErrOut: out}))
	root.SetArgs(strings.Fields("logs shop -f"))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan int, 1)
	go func() { ended <- cli.Run(ctx, root) }()
	tt := &terminal{t: t}
	tt.await(out, "[frontend/1] frontend goes on")
	if err := w.c.Create(t.Context(), releasedPod("cart-1", "cart")); err != nil {
		t.Fatal(err)
	}
	tt.await(out, "[cart/1] cart begins")
	time.Sleep(2500 * time.Millisecond) // each log is opened anew once a second
	stop()
	if code := tt.code(ended); code != 0 {
		t.Errorf("logs that were interrupted exited with %d", code)
	}
	if n := strings.Count(out.String(), "begins"); n != 2 {
		t.Errorf("%d lines tell of a begin, want 2:\n%s", n, out)
	}
}

// TestFetched compares what is live with the head of a repository, which is fetched.
func TestFetched(t *testing.T) {
	dir := t.TempDir()
	repository(t, dir)
	w := newWorld(t, nil, nil)
	stack := shopStack()
	stack.Spec.Source.Git = v1alpha1.GitSource{URL: "file://" + dir, Ref: v1alpha1.GitRef{Branch: "main"}, Path: "."}
	if err := w.c.Create(t.Context(), stack); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	root := cli.New(w.options(clock.RealClock{}, genericclioptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &out}))
	root.SetArgs([]string{"diff", "shop"})
	if code := cli.Run(t.Context(), root); code != 1 {
		t.Errorf("diff exited with %d:\n%s", code, out.String())
	}
	for _, text := range []string{"main @ ", "+ frontend  frontend:v7"} {
		if !strings.Contains(out.String(), text) {
			t.Errorf("diff does not say %q:\n%s", text, out.String())
		}
	}
}

func repository(t *testing.T, dir string) {
	t.Helper()
	const manifest = `apiVersion: apps/v1
kind: Deployment
metadata: {name: frontend}
spec:
  selector: {matchLabels: {app: frontend}}
  template:
    metadata: {labels: {app: frontend}}
    spec: {containers: [{name: frontend, image: "registry.example.com/frontend:v7"}]}
`
	repo, err := gogit.PlainInitWithOptions(dir, &gogit.PlainInitOptions{InitOptions: gogit.InitOptions{DefaultBranch: "refs/heads/main"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "app.yaml"), []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	tree, err := repo.Worktree()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tree.Add("app.yaml"); err != nil {
		t.Fatal(err)
	}
	if _, err := tree.Commit("seven", &gogit.CommitOptions{Author: &object.Signature{Name: "ana", Email: "ana@example.com", When: now}}); err != nil {
		t.Fatal(err)
	}
}
