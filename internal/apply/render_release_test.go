package apply

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gogit "github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// repository is a Git repository on this machine.
type repository struct {
	t    *testing.T
	dir  string
	repo *gogit.Repository
}

func newRepository(t *testing.T) *repository {
	t.Helper()
	r := &repository{t: t, dir: t.TempDir()}
	var err error
	r.repo, err = gogit.PlainInitWithOptions(r.dir, &gogit.PlainInitOptions{InitOptions: gogit.InitOptions{DefaultBranch: plumbing.Main}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// commit writes a file, and returns the commit.
func (r *repository) commit(name, text string) string {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	tree, err := r.repo.Worktree()
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := tree.Add(name); err != nil {
		r.t.Fatal(err)
	}
	hash, err := tree.Commit("change "+name, &gogit.CommitOptions{Author: &object.Signature{Name: "t", Email: "t@example.com", When: time.Unix(1, 0)}})
	if err != nil {
		r.t.Fatal(err)
	}
	return hash.String()
}

// sourced is a world whose Stack is released from a repository.
func sourced(t *testing.T) (*world, *repository) {
	w, r := newWorld(t), newRepository(t)
	w.applier.AllowFileURLs = true
	w.s.Stack.Spec.Source.Git.URL = "file://" + r.dir
	w.s.Stack.Spec.Source.Git.Path = "apps/shop"
	return w, r
}

// asked makes a Release that has not started.
func (w *world) asked(name, revision string) plan.RenderRelease {
	w.t.Helper()
	r := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: w.s.Stack.Namespace, Name: name}}
	r.Spec = v1alpha1.ReleaseSpec{Stack: "shop", Revision: revision}
	w.make(r)
	w.s.Releases = append(w.s.Releases, *r)
	w.s.Stack.Status.Units = []v1alpha1.UnitStatus{{Name: plan.UnitAll, ActiveRelease: name, Step: &v1alpha1.StepStatus{Kind: v1alpha1.StepRender, Attempt: 1}}}
	return plan.RenderRelease{
		Release: plan.ReleaseRef{Name: name, UID: r.UID}, Attempt: 1, Timeout: time.Minute,
		Steps: []v1alpha1.Step{{Kind: v1alpha1.StepRender}, {Kind: v1alpha1.StepDeploy}},
	}
}

func TestRenderRelease(t *testing.T) {
	w, r := sourced(t)
	first := r.commit("apps/shop/all.yaml", frontend)
	r.commit("apps/shop/all.yaml", frontend2)
	act := w.asked("shop-1", first)
	w.ok(act)
	started := w.readRelease("shop-1").Status.Started
	if started == nil || started.Commit != first || started.Inputs == "" || len(started.Content) != 2 || len(started.Steps) != 2 {
		t.Fatalf("started = %+v", started)
	}
	if len(started.Members) != 1 || started.Members[0].Name != "frontend" || started.Members[0].Replicas != 3 {
		t.Errorf("members = %+v", started.Members)
	}
	w.ok(act)
	if again := w.readRelease("shop-1").Status.Started; again.Digest != started.Digest {
		t.Errorf("rendering again has changed the digest")
	}
	w.s.Releases[0] = *w.readRelease("shop-1")
	w.prepare("green")
	w.ok(plan.Preflight{Release: act.Release, Slot: "green", Attempt: 1})
	w.ok(plan.ApplyBase{Release: act.Release, Slot: "green", Epoch: 1, Attempt: 1})
	w.ok(applyFrontend(act.Release, 1, 1))
	if got := field(w.get("v1", "ConfigMap", "settings"), "data", "a"); got != "1" {
		t.Errorf("what was applied is not what the first commit holds: %v", got)
	}
	leftovers, err := os.ReadDir(w.applier.WorkDir)
	w.must(err)
	if len(leftovers) > 0 {
		t.Errorf("the checkout was left behind: %v", leftovers)
	}
}

func TestRenderReleaseIsRefused(t *testing.T) {
	secret := func(w *world, data map[string]string) {
		w.s.Stack.Spec.Source.Git.SecretRef = &v1alpha1.LocalRef{Name: "git"}
		if data != nil {
			w.make(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.s.Stack.Namespace, Name: "git"}, StringData: data})
		}
	}
	for name, test := range map[string]struct {
		set      func(w *world, r *repository)
		revision string
		reason   string
		want     []string
	}{
		"revision": {revision: "nowhere", reason: v1alpha1.ReasonRevisionMissing, want: []string{"nowhere"}},
		"path": {
			set:    func(w *world, _ *repository) { w.s.Stack.Spec.Source.Git.Path = "apps/none" },
			reason: v1alpha1.ReasonPathMissing, want: []string{"apps/none"},
		},
		"manifests": {
			set:    func(_ *world, r *repository) { r.commit("apps/shop/all.yaml", "kind: [") },
			reason: v1alpha1.ReasonRenderFailed, want: []string{"all.yaml"},
		},
		"file URLs": {
			set:    func(w *world, _ *repository) { w.applier.AllowFileURLs = false },
			reason: v1alpha1.ReasonRepoUnreachable,
		},
		"secret": {
			set:    func(w *world, _ *repository) { secret(w, nil) },
			reason: v1alpha1.ReasonSecretMissing, want: []string{"/git", "kubectl create secret generic git"},
		},
		"secret without a password": {
			set:    func(w *world, _ *repository) { secret(w, map[string]string{"username": "me"}) },
			reason: v1alpha1.ReasonSecretMissing, want: []string{"neither password nor token"},
		},
		"secret for ssh": {
			set: func(w *world, _ *repository) {
				w.s.Stack.Spec.Source.Git.URL = "git@git.example.com:shop.git"
				secret(w, nil)
			},
			reason: v1alpha1.ReasonSecretMissing, want: []string{"--type kubernetes.io/ssh-auth", "known_hosts"},
		},
		"secret without a key": {
			set: func(w *world, _ *repository) {
				w.s.Stack.Spec.Source.Git.URL = "ssh://git@git.example.com/shop.git"
				secret(w, map[string]string{"password": "x", "known_hosts": "x"})
			},
			reason: v1alpha1.ReasonSecretMissing, want: []string{"no ssh-privatekey"},
		},
		"secret without known_hosts": {
			set: func(w *world, _ *repository) {
				w.s.Stack.Spec.Source.Git.URL = "ssh://git@git.example.com/shop.git"
				secret(w, map[string]string{"identity": "x"})
			},
			reason: v1alpha1.ReasonSecretMissing, want: []string{"no known_hosts", "ssh-keyscan"},
		},
		"secret whose key is none": {
			set: func(w *world, _ *repository) {
				w.s.Stack.Spec.Source.Git.URL = "ssh://git@git.example.com/shop.git"
				secret(w, map[string]string{"ssh-privatekey": "x", "known_hosts": "x"})
			},
			reason: v1alpha1.ReasonAuthFailed, want: []string{"PEM"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, r := sourced(t)
			r.commit("apps/shop/all.yaml", frontend)
			if test.set != nil {
				test.set(w, r)
			}
			contains(t, w.refused(w.asked("shop-1", test.revision), test.reason), test.want...)
			if w.readRelease("shop-1").Status.Started != nil {
				t.Error("the release has started all the same")
			}
		})
	}
}

func TestNewest(t *testing.T) {
	w, r := sourced(t)
	first := r.commit("apps/shop/all.yaml", frontend)
	a, err := w.applier.Newest(w.ctx, &w.s.Stack, plan.SourceFacts{})
	w.must(err)
	if a.Commit != first || a.Inputs == "" {
		t.Fatalf("facts = %+v", a)
	}
	r.commit("README.md", "hello")
	b, err := w.applier.Newest(w.ctx, &w.s.Stack, a)
	w.must(err)
	if b.Commit == first || b.Inputs != a.Inputs {
		t.Errorf("a commit that changes other things: %+v after %+v", b, a)
	}
	r.commit("apps/shop/all.yaml", frontend2)
	c, err := w.applier.Newest(w.ctx, &w.s.Stack, b)
	w.must(err)
	if c.Inputs == b.Inputs {
		t.Errorf("a commit that changes the path has the same inputs")
	}
	act := w.asked("shop-1", "")
	w.ok(act)
	if got := w.readRelease("shop-1").Status.Started; got.Commit != c.Commit || got.Inputs != c.Inputs {
		t.Errorf("the watcher saw %+v, and the release was rendered from %s with inputs %s", c, got.Commit, got.Inputs)
	}
	w.s.Stack.Spec.Source.Git.Ref = v1alpha1.GitRef{Commit: strings.Repeat("0", 40)}
	if _, err := w.applier.Newest(w.ctx, &w.s.Stack, c); err == nil {
		t.Error("a commit that does not exist was found")
	}
}

// A commit that changes a base outside source.git.path is one of the stack, and a commit beside both is not.
func TestNewestSeesBases(t *testing.T) {
	w, r := sourced(t)
	w.s.Stack.Spec.Source.Plain = nil
	w.s.Stack.Spec.Source.Kustomize = &v1alpha1.KustomizeSource{Path: "$(slot)"}
	for _, slot := range []string{"blue", "green"} {
		r.commit("apps/shop/"+slot+"/kustomization.yaml", "resources: [../../../bases/shop]\n")
	}
	r.commit("bases/shop/kustomization.yaml", "resources: [all.yaml]\n")
	r.commit("bases/shop/all.yaml", frontend)
	known := plan.SourceFacts{}
	newest := func() plan.SourceFacts {
		t.Helper()
		facts, err := w.applier.Newest(w.ctx, &w.s.Stack, known)
		w.must(err)
		known = facts
		return facts
	}
	before := newest()
	if before.Inputs == before.Commit {
		t.Fatal("the inputs cannot be told")
	}
	r.commit("bases/other/all.yaml", "a: b")
	if beside := newest(); beside.Inputs != before.Inputs || beside.Commit == before.Commit {
		t.Errorf("a commit beside the stack: %+v, after %+v", beside, before)
	}
	r.commit("bases/shop/all.yaml", frontend2)
	if changed := newest(); changed.Inputs == before.Inputs {
		t.Errorf("a commit that changes the base: %+v, after %+v", changed, before)
	}
	act := w.asked("shop-1", known.Commit)
	w.ok(act)
	if got := w.readRelease("shop-1").Status.Started.Inputs; got != known.Inputs {
		t.Errorf("the Release was made of inputs %s, and the watcher saw %s", got, known.Inputs)
	}
}

// Inline objects need no repository, and a Release is bound to those that it was made for.
func TestRenderInlineObjects(t *testing.T) {
	w := newWorld(t)
	w.s.Stack.Spec.Source = v1alpha1.Source{}
	for document := range strings.SplitSeq(frontend, "\n---\n") {
		raw, err := yaml.YAMLToJSON([]byte(document))
		w.must(err)
		w.s.Stack.Spec.Source.Inline = append(w.s.Stack.Spec.Source.Inline, runtime.RawExtension{Raw: raw})
	}
	revision := plan.InlineRevision(w.s.Stack.Spec.Source)
	w.ok(w.asked("shop-1", revision))
	started := w.readRelease("shop-1").Status.Started
	if started == nil || started.Commit != "" || started.Inputs != revision || len(started.Content) != 2 || len(started.Members) != 1 {
		t.Fatalf("started = %+v", started)
	}
	w.ok(w.asked("shop-2", ""))
	other := "sha256:" + strings.Repeat("0", 64)
	contains(t, w.refused(w.asked("shop-3", other), v1alpha1.ReasonRevisionMissing), other, revision, "make another release")
}
