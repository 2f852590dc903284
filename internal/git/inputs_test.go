package git_test

import (
	"testing"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/git"
)

func inputs(t *testing.T, r *repo, paths ...string) string {
	t.Helper()
	tree, _, err := checkout(t, git.Remote{URL: r.url(), AllowFile: true}, "main", git.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	digest, err := tree.Inputs(paths...)
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

func TestInputs(t *testing.T) {
	for name, c := range map[string]struct {
		change func(r *repo)
		same   bool
	}{
		"nothing":                 {func(*repo) {}, true},
		"elsewhere":               {func(r *repo) { r.write("README", "new").write("charts/other/x", "new") }, true},
		"in the path":             {func(r *repo) { r.write("apps/shop/values.yaml", "a: 2") }, false},
		"beside, in the path":     {func(r *repo) { r.write("apps/shop/deeper/new", "") }, false},
		"in the dependency":       {func(r *repo) { r.write("charts/base/x", "2") }, false},
		"behind a link":           {func(r *repo) { r.write("versions/1/x", "2") }, false},
		"what a link leads to":    {func(r *repo) { r.git("rm", "--quiet", "current"); r.link("current", "versions/2") }, false},
		"a mode in the path":      {func(r *repo) { r.git("update-index", "--chmod=+x", "apps/shop/values.yaml") }, false},
		"the mode of a file":      {func(r *repo) { r.git("update-index", "--chmod=+x", "one.yaml") }, false},
		"the target of no link":   {func(r *repo) { r.write("versions/2/x", "3") }, true},
		"another file by the one": {func(r *repo) { r.write("two.yaml", "") }, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRepo(t).write("apps/shop/values.yaml", "a: 1").write("charts/base/x", "1").write("one.yaml", "")
			r.write("versions/1/x", "1").write("versions/2/x", "1").link("current", "versions/1").commit()
			used := []string{"apps/shop", "charts/base", "current/x", "one.yaml"}
			before := inputs(t, r, used...)
			c.change(r)
			r.git("add", "--all", "--", ".", ":!one.yaml", ":!apps/shop/values.yaml")
			if name == "in the path" {
				r.git("add", "--all")
			}
			r.git("commit", "--quiet", "--allow-empty", "--message", "change")
			if after := inputs(t, r, used...); (before == after) != c.same {
				t.Errorf("before %s, after %s", before, after)
			}
		})
	}
}

func TestInputsAreASet(t *testing.T) {
	r := newRepo(t).write("apps/shop/values.yaml", "a: 1").write("b", "1")
	r.commit()
	want := inputs(t, r, "apps/shop", "b")
	for _, paths := range [][]string{{"b", "apps/shop"}, {"./b/", "apps//shop", "b"}, {"b", "apps/shop", "apps/shop/values.yaml"}} {
		if got := inputs(t, r, paths...); got != want {
			t.Errorf("%v: got %s, want %s", paths, got, want)
		}
	}
	all := inputs(t, r, ".")
	for _, paths := range [][]string{nil, {""}, {".", "b"}} {
		if got := inputs(t, r, paths...); got != all || got == want {
			t.Errorf("%v: got %s, want %s", paths, got, all)
		}
	}
	if inputs(t, r, "b") == inputs(t, r, "apps/shop") {
		t.Error("different paths have the same inputs")
	}
}

// Together two links that change places lead to what they led to before.
func TestInputsOfLinksThatChangePlaces(t *testing.T) {
	r := newRepo(t).write("versions/1", "1").write("versions/2", "2").link("old", "versions/1").link("new", "versions/2")
	r.commit()
	before := inputs(t, r, "old", "new")
	r.git("rm", "--quiet", "old", "new")
	r.link("old", "versions/2").link("new", "versions/1").commit()
	if inputs(t, r, "old", "new") == before {
		t.Error("the links are not part of the inputs")
	}
}

func TestInputsThatAreNotThere(t *testing.T) {
	r := newRepo(t).write("a", "1").link("dangling", "nowhere")
	commit := r.commit()
	tree, _, err := checkout(t, git.Remote{URL: r.url(), AllowFile: true}, "main", git.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for name, reason := range map[string]string{
		"apps/shop": v1alpha1.ReasonPathMissing, "a/b": v1alpha1.ReasonPathMissing, "dangling": v1alpha1.ReasonPathMissing,
		"../x": v1alpha1.ReasonOutsideCheckout, "/etc": v1alpha1.ReasonOutsideCheckout, "a/../../b": v1alpha1.ReasonOutsideCheckout,
	} {
		_, err := tree.Inputs("a", name)
		fails(t, err, reason, name, r.url())
		if reason == v1alpha1.ReasonPathMissing {
			fails(t, err, reason, commit)
		}
	}
}
