package git_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/git"
)

func checkout(t *testing.T, remote git.Remote, revision string, limits git.Limits) (*git.Tree, string, error) {
	t.Helper()
	parent := t.TempDir()
	dir := filepath.Join(parent, "out")
	tree, err := git.Checkout(t.Context(), remote, revision, dir, limits)
	left, globErr := filepath.Glob(filepath.Join(parent, "*"))
	hidden, hiddenErr := filepath.Glob(filepath.Join(parent, ".*"))
	if globErr != nil || hiddenErr != nil || len(left)+len(hidden) > 1 {
		t.Errorf("beside the checkout lies %v %v", left, hidden)
	}
	return tree, dir, err
}

// listed is a folder as people see it: mode, name, and content or target.
func listed(t *testing.T, dir string) map[string]string {
	t.Helper()
	result := map[string]string{}
	err := filepath.WalkDir(dir, func(at string, item fs.DirEntry, err error) error {
		if err != nil || item.IsDir() {
			return err
		}
		name, _ := filepath.Rel(dir, at)
		if item.Type() == fs.ModeSymlink {
			target, err := os.Readlink(at)
			result[name] = "-> " + target
			return err
		}
		info, err := item.Info()
		if err != nil {
			return err
		}
		content, err := os.ReadFile(at)
		result[name] = info.Mode().String()[:4] + " " + string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestCheckout(t *testing.T) {
	r := newRepo(t)
	r.write("old", "gone by now").commit()
	r.git("rm", "--quiet", "old")
	r.write("apps/shop/values.yaml", "a: 1").write("run.sh", "#!").link("apps/current", "shop").link("apps/shop/up", "../../run.sh").link("nowhere", "missing")
	r.write("big", strings.Repeat("more than is kept in memory\n", 100_000))
	r.write(".gitattributes", "*.yaml text eol=crlf filter=lfs\n")
	r.git("add", "--all")
	r.git("update-index", "--chmod=+x", "run.sh")
	r.git("update-index", "--add", "--cacheinfo", "160000,"+strings.Repeat("1", 40)+",module")
	r.git("commit", "--quiet", "--message", "all")
	want := map[string]string{
		"apps/shop/values.yaml": "-rw- a: 1", "run.sh": "-rwx #!", "apps/current": "-> shop", "apps/shop/up": "-> ../../run.sh", "nowhere": "-> missing",
		"big": "-rw- " + strings.Repeat("more than is kept in memory\n", 100_000), ".gitattributes": "-rw- *.yaml text eol=crlf filter=lfs\n",
	}
	h := serve(t, r)
	for name, remote := range map[string]git.Remote{"http": {URL: h.repo()}, "disk": {URL: r.url(), AllowFile: true}} {
		t.Run(name, func(t *testing.T) {
			tree, dir, err := checkout(t, remote, "main", git.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if tree.Commit != r.git("rev-parse", "HEAD") {
				t.Errorf("got commit %s", tree.Commit)
			}
			if diff := cmp.Diff(want, listed(t, dir)); diff != "" {
				t.Error(diff)
			}
		})
	}
	if asked := h.packs(); len(asked) != 1 || !strings.Contains(asked[0], "deepen 1") {
		t.Errorf("asked for more than one commit: %q", asked)
	}
}

func TestCheckoutOfRevisions(t *testing.T) {
	r := newRepo(t)
	first := r.write("a", "1").commit()
	r.git("tag", "--annotate", "v1", "--message", "one")
	second := r.write("a", "2").commit()
	r.write("a", "3").commit()
	r.git("branch", "dropped")
	third := r.write("a", "4").commit()
	r.git("reset", "--quiet", "--hard", second)
	h := serve(t, r)
	before, err := git.Resolve(t.Context(), git.Remote{URL: h.repo()}, "main")
	if err != nil || before != second {
		t.Fatal(before, err)
	}
	fifth := r.write("a", "5").commit() // main moves between Resolve and Checkout
	strict := serve(t, r, advertisedOnly(r))
	remotes := map[string]git.Remote{"http": {URL: h.repo()}, "strict": {URL: strict.repo()}, "disk": {URL: r.url(), AllowFile: true}}
	for name, remote := range remotes {
		for revision, want := range map[string]struct{ commit, content string }{
			"main": {fifth, "5"}, "v1": {first, "1"}, first: {first, "1"}, before: {second, "2"}, fifth: {fifth, "5"},
		} {
			t.Run(name+" "+revision, func(t *testing.T) {
				tree, dir, err := checkout(t, remote, revision, git.Limits{})
				if err != nil {
					t.Fatal(err)
				}
				if got := listed(t, dir)["a"]; tree.Commit != want.commit || got != "-rw- "+want.content {
					t.Errorf("got %s with %s", tree.Commit, got)
				}
			})
		}
	}
	for _, name := range []string{"http", "strict"} {
		t.Run(name+" dropped", func(t *testing.T) {
			_, _, err := checkout(t, remotes[name], third, git.Limits{})
			fails(t, err, v1alpha1.ReasonRevisionMissing, third, remotes[name].URL)
		})
	}
	_, _, err = checkout(t, remotes["disk"], strings.Repeat("1", 40), git.Limits{})
	fails(t, err, v1alpha1.ReasonRevisionMissing, strings.Repeat("1", 40))
}

func TestOfABareCommitOnlyThatIsAskedFor(t *testing.T) {
	r := newRepo(t)
	r.write("a", "1").commit()
	middle := r.write("a", "2").commit()
	r.write("a", "3").commit()
	h := serve(t, r)
	if _, _, err := checkout(t, git.Remote{URL: h.repo()}, middle, git.Limits{}); err != nil {
		t.Fatal(err)
	}
	if asked := h.packs(); len(asked) != 1 || !strings.Contains(asked[0], "want "+middle) || !strings.Contains(asked[0], "deepen 1") {
		t.Errorf("asked %q", asked)
	}
}

// Every server serves what it advertises, so that is what is asked for: the tag, where the commit lies behind one.
func TestOfACommitWithANameTheNameIsAskedFor(t *testing.T) {
	r := newRepo(t)
	first := r.write("a", "1").commit()
	r.git("tag", "--annotate", "v1", "--message", "one")
	r.write("a", "2").commit()
	h := serve(t, r, advertisedOnly(r))
	if _, _, err := checkout(t, git.Remote{URL: h.repo()}, first, git.Limits{}); err != nil {
		t.Fatal(err)
	}
	if asked := h.packs(); len(asked) != 1 || !strings.Contains(asked[0], "want "+r.git("rev-parse", "v1")) || !strings.Contains(asked[0], "deepen 1") {
		t.Errorf("asked %q", asked)
	}
}

func TestWhatAServerSendsIsBounded(t *testing.T) {
	r := newRepo(t)
	noise := make([]byte, 3<<20)
	_, _ = rand.Read(noise)
	r.write("noise", string(noise)).commit()
	_, _, err := checkout(t, git.Remote{URL: serve(t, r).repo()}, "main", git.Limits{MaxBytes: 1 << 20})
	fails(t, err, v1alpha1.ReasonContentTooLarge, "sends more than 1 MiB")
}

func TestLinksThatLeadOutside(t *testing.T) {
	for name, links := range map[string][][2]string{
		"absolute":       {{"apps/bad", "/etc/passwd"}},
		"upwards":        {{"apps/bad", "../../secret"}},
		"and back":       {{"bad", "../shop/a"}},
		"through a link": {{"deep/er/up", "../.."}, {"bad", "deep/er/up/../secret"}},
		"to such a link": {{"bad", "worse/../../x"}, {"worse", "a"}},
		"backslash":      {{"bad", `..\secret`}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRepo(t).write("a", "1")
			for _, link := range links {
				r.link(link[0], link[1])
			}
			commit := r.commit()
			_, dir, err := checkout(t, git.Remote{URL: r.url(), AllowFile: true}, "main", git.Limits{})
			fails(t, err, v1alpha1.ReasonOutsideCheckout, "bad", commit, r.url())
			if written := listed(t, dir); len(written) > 0 {
				t.Errorf("written before it was refused: %v", written)
			}
		})
	}
}

func TestLinksInACircleAreHarmless(t *testing.T) {
	r := newRepo(t).link("a", "b").link("b", "a")
	r.commit()
	tree, _, err := checkout(t, git.Remote{URL: r.url(), AllowFile: true}, "main", git.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = tree.Inputs("a")
	fails(t, err, v1alpha1.ReasonPathMissing, `"a"`)
}

func TestNamesThatAreNotWritten(t *testing.T) {
	for _, name := range []string{"..", ".", ".git", ".GIT", "git~1", "a/../../b", `a\b`} {
		t.Run(name, func(t *testing.T) {
			r := newRepo(t)
			blob := r.gitWith([]byte("x"), "hash-object", "-w", "--stdin")
			commit := r.plant(entryOf(t, name, blob))
			for _, remote := range []git.Remote{{URL: serve(t, r).repo()}, {URL: r.url(), AllowFile: true}} {
				_, _, err := checkout(t, remote, commit, git.Limits{})
				fails(t, err, v1alpha1.ReasonOutsideCheckout, commit)
			}
		})
	}
}

// A name that is there twice could be a link first and a file behind it then.
func TestNamesThatAreThereTwice(t *testing.T) {
	r := newRepo(t)
	blob := r.gitWith([]byte("x"), "hash-object", "-w", "--stdin")
	commit := r.plant(append(entryOf(t, "a", blob), entryOf(t, "a", blob)...))
	_, _, err := checkout(t, git.Remote{URL: r.url(), AllowFile: true}, commit, git.Limits{})
	fails(t, err, v1alpha1.ReasonOutsideCheckout, `"a"`)
}

// plant commits a tree that the git command would not make.
func (r *repo) plant(tree []byte) string {
	hash := r.gitWith(tree, "hash-object", "-t", "tree", "-w", "--literally", "--stdin")
	commit := r.git("commit-tree", "-m", "planted", hash)
	r.git("update-ref", "refs/heads/main", commit)
	return commit
}

func entryOf(t *testing.T, name, hash string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(hash)
	if err != nil {
		t.Fatal(err)
	}
	return append([]byte("100644 "+name+"\x00"), raw...)
}

func TestLimits(t *testing.T) {
	r := newRepo(t)
	noise := make([]byte, 3<<20)
	_, _ = rand.Read(noise)
	r.write("one/noise", string(noise)).commit()
	r.git("branch", "noise")
	r.git("rm", "-r", "--quiet", "one")
	r.write("a/b/c", "1").write("d", "2").commit()
	r.git("branch", "files")
	r.write("zeros", string(make([]byte, 64<<20))).commit()
	r.git("branch", "zeros")
	for name, c := range map[string]struct {
		limits git.Limits
		words  string
	}{
		"noise": {git.Limits{MaxBytes: 1 << 20}, "1 MiB"},
		"zeros": {git.Limits{MaxBytes: 1 << 20}, "1 MiB"},
		"files": {git.Limits{MaxFiles: 3}, "3 files"},
	} {
		for _, remote := range []git.Remote{{URL: serve(t, r).repo()}, {URL: r.url(), AllowFile: true}} {
			t.Run(name+" "+remote.URL[:4], func(t *testing.T) {
				_, dir, err := checkout(t, remote, name, c.limits)
				fails(t, err, v1alpha1.ReasonContentTooLarge, c.words, remote.URL)
				if written := listed(t, dir); len(written) > 0 {
					t.Errorf("written before it was refused: %v", written)
				}
			})
		}
	}
	for _, remote := range []git.Remote{{URL: serve(t, r).repo()}, {URL: r.url(), AllowFile: true}} {
		if _, _, err := checkout(t, remote, "files", git.Limits{MaxFiles: 4, MaxBytes: 1 << 20}); err != nil {
			t.Errorf("what is within the limits is refused: %v", err)
		}
	}
}

// A long history of one file among hundreds is sent as a long row of small differences.
func TestHistoryIsNoBomb(t *testing.T) {
	r := newRepo(t)
	var history strings.Builder
	for i := range 120 {
		fmt.Fprintf(&history, "commit refs/heads/main\ncommitter a <a@example.com> %d +0000\ndata 1\nx\n", i)
		for n := range 500 {
			if i == 0 {
				fmt.Fprintf(&history, "M 644 inline many/%d\ndata <<E\n%d\nE\n", n, n)
			}
		}
		fmt.Fprintf(&history, "M 644 inline a\ndata <<E\n%s%d\nE\n", strings.Repeat("the same\n", 200), i)
	}
	r.gitWith([]byte(history.String()), "fast-import", "--quiet")
	r.git("repack", "-adfq", "--depth=120", "--window=120")
	early := r.git("rev-parse", "main~119")
	for _, wrap := range [][]func(http.Handler) http.Handler{nil, {advertisedOnly(r)}} {
		tree, dir, err := checkout(t, git.Remote{URL: serve(t, r, wrap...).repo()}, early, git.Limits{MaxFiles: 550})
		if err != nil {
			t.Fatal(err)
		}
		if got := len(listed(t, dir)); tree.Commit != early || got != 501 {
			t.Errorf("commit %s with %d files", tree.Commit, got)
		}
	}
}

func TestFilesAreAddedUp(t *testing.T) {
	r := newRepo(t)
	half := bytes.Repeat([]byte("x"), 600<<10)
	r.write("a", string(half)).write("b", string(half)+"y").commit()
	_, _, err := checkout(t, git.Remote{URL: serve(t, r).repo()}, "main", git.Limits{MaxBytes: 1 << 20})
	fails(t, err, v1alpha1.ReasonContentTooLarge, "the files in commit")
	_, _, err = checkout(t, git.Remote{URL: serve(t, r).repo()}, "main", git.Limits{MaxBytes: 1 << 20, MaxFiles: 2})
	fails(t, err, v1alpha1.ReasonContentTooLarge, "once it is unpacked")
}
