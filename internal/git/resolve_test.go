package git_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/git"
)

func TestResolve(t *testing.T) {
	r := newRepo(t)
	first := r.write("a", "1").commit()
	r.git("tag", "--annotate", "v1", "--message", "one")
	r.git("tag", "--annotate", "v1-signed-off", "v1", "--message", "a tag of a tag")
	r.git("tag", "light")
	r.git("tag", "both")
	second := r.write("a", "2").commit()
	r.git("branch", "both")
	r.git("branch", "team/feature", first)
	remotes := map[string]git.Remote{
		"http": {URL: serve(t, r).repo()},
		"disk": {URL: r.url(), AllowFile: true},
	}
	cases := map[string]string{
		"main": second, "team/feature": first, "v1": first, "v1-signed-off": first, "light": first, "": second, "HEAD": second,
		"both": second, "refs/tags/both": first, "refs/heads/both": second, strings.ToUpper(first): first,
	}
	for name, remote := range remotes {
		for revision, want := range cases {
			t.Run(name+" "+revision, func(t *testing.T) {
				if got, err := git.Resolve(t.Context(), remote, revision); err != nil || got != want {
					t.Errorf("got %s, %v; want %s", got, err, want)
				}
			})
		}
		t.Run(name+" unknown", func(t *testing.T) {
			for revision, words := range map[string]string{
				"nope": "branch or tag nope", "refs/heads/v1": "branch v1", "refs/tags/main": "tag main", first[:10]: first[:10],
			} {
				_, err := git.Resolve(t.Context(), remote, revision)
				fails(t, err, v1alpha1.ReasonRevisionMissing, words, remote.String())
			}
		})
	}
}

func TestResolveOfAnEmptyRepository(t *testing.T) {
	r := newRepo(t)
	for _, remote := range []git.Remote{{URL: serve(t, r).repo()}, {URL: r.url(), AllowFile: true}} {
		_, err := git.Resolve(t.Context(), remote, "")
		fails(t, err, v1alpha1.ReasonRevisionMissing, remote.String())
	}
}

func TestRevision(t *testing.T) {
	for _, c := range []struct {
		ref            v1alpha1.GitRef
		override, want string
	}{
		{v1alpha1.GitRef{Branch: "main"}, "", "refs/heads/main"},
		{v1alpha1.GitRef{Tag: "v1"}, "", "refs/tags/v1"},
		{v1alpha1.GitRef{Commit: "abc"}, "", "abc"},
		{v1alpha1.GitRef{Branch: "main"}, "v2", "v2"},
		{v1alpha1.GitRef{}, "", ""},
	} {
		if got := git.Revision(c.ref, c.override); got != c.want {
			t.Errorf("%+v, %q: got %q, want %q", c.ref, c.override, got, c.want)
		}
	}
}

const secret = "s3cr3t/tok en"

func TestCredentials(t *testing.T) {
	r := newRepo(t)
	r.write("a", "1").commit()
	open := serve(t, r, guarded("git", secret, http.StatusUnauthorized))
	forbidding := serve(t, r, guarded("git", secret, http.StatusForbidden))
	withUser := strings.Replace(open.repo(), "http://", "http://git:s3cr3t%2Ftok%20en@", 1)
	wrongUser := strings.Replace(open.repo(), "http://", "http://git:wr0ng-pass@", 1)
	for name, c := range map[string]struct {
		remote git.Remote
		words  string
	}{
		"right":               {git.Remote{URL: open.repo(), Username: "git", Password: secret}, ""},
		"token alone":         {git.Remote{URL: open.repo(), Password: secret}, ""},
		"in the URL":          {git.Remote{URL: withUser}, ""},
		"none":                {git.Remote{URL: open.repo()}, "asks for credentials"},
		"wrong":               {git.Remote{URL: open.repo(), Username: "git", Password: "wr0ng-pass"}, "refuses the credentials"},
		"wrong, in the URL":   {git.Remote{URL: wrongUser}, "refuses the credentials"},
		"wrong and forbidden": {git.Remote{URL: forbidding.repo(), Username: "git", Password: "wr0ng-pass"}, "refuses the credentials"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := git.Resolve(t.Context(), c.remote, "main")
			if c.words == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			fails(t, err, v1alpha1.ReasonAuthFailed, c.words, strings.TrimPrefix(c.remote.String(), "http://"))
			if strings.Contains(err.Error(), "wr0ng") {
				t.Errorf("the error gives the password away: %v", err)
			}
		})
	}
}

// A server can repeat what it was sent in an answer of its own making.
func TestCredentialsAreNotRepeated(t *testing.T) {
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		_, password, _ := q.BasicAuth()
		http.Redirect(w, q, "ftp://elsewhere/"+password+"/"+strings.TrimPrefix(q.Header.Get("Authorization"), "Basic ")+"/info/refs", http.StatusFound)
	}))
	defer echo.Close()
	_, err := git.Resolve(t.Context(), git.Remote{URL: echo.URL + "/shop", Username: "me", Password: "hunter2hunter2"}, "main")
	fails(t, err, v1alpha1.ReasonRepoUnreachable, "***")
	if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "bWU6aHVudGVy") {
		t.Errorf("the error gives the password away: %v", err)
	}
}

func TestRedirects(t *testing.T) {
	r := newRepo(t)
	want := r.write("a", "1").commit()
	other := serve(t, r)
	moved := func(to string) *host {
		return serve(t, r, func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
				http.Redirect(w, q, to+strings.TrimPrefix(q.URL.Path, "/shop/.git")+"?"+q.URL.RawQuery, http.StatusFound)
			})
		})
	}
	elsewhere := strings.Replace(other.repo(), "127.0.0.1", "localhost", 1)
	remote := git.Remote{URL: moved(elsewhere).repo(), Username: "git", Password: secret}
	tree, err := git.Checkout(t.Context(), remote, "main", t.TempDir()+"/out", git.Limits{})
	if err != nil || tree.Commit != want {
		t.Fatalf("a repository that moved is followed: %v", err)
	}
	if seen := other.authorizations(); seen != "" {
		t.Errorf("the other host was shown %q", seen)
	}
}

func TestUnreachable(t *testing.T) {
	r := newRepo(t)
	r.write("a", "1").commit()
	served := serve(t, r)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + listener.Addr().String() + "/shop"
	_ = listener.Close()
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	defer broken.Close()
	for name, c := range map[string]struct {
		remote git.Remote
		words  string
	}{
		"gone":             {git.Remote{URL: served.URL + "/gone/.git"}, "no repository"},
		"gone from disk":   {git.Remote{URL: r.url() + "-gone", AllowFile: true}, "no repository"},
		"closed port":      {git.Remote{URL: closed}, "connection refused"},
		"broken":           {git.Remote{URL: broken.URL + "/shop"}, "502"},
		"disk not allowed": {git.Remote{URL: r.url()}, "https://"},
		"git protocol":     {git.Remote{URL: "git://example.com/shop.git"}, "https://"},
		"no URL":           {git.Remote{URL: "http://a b:c@/%zz"}, "not a URL"},
		"other disk":       {git.Remote{URL: "file://host/path", AllowFile: true}, "file:///"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := git.Resolve(t.Context(), c.remote, "main")
			fails(t, err, v1alpha1.ReasonRepoUnreachable, c.words)
			_, err = git.Checkout(t.Context(), c.remote, "main", t.TempDir()+"/out", git.Limits{})
			fails(t, err, v1alpha1.ReasonRepoUnreachable, c.words)
		})
	}
}

func TestAServerThatNeverAnswers(t *testing.T) {
	release := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer silent.Close()
	defer close(release)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := git.Resolve(ctx, git.Remote{URL: silent.URL + "/shop"}, "main")
	fails(t, err, v1alpha1.ReasonRepoUnreachable, "in time")
}

func TestCancelled(t *testing.T) {
	r := newRepo(t)
	r.write("a", "1").commit()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, remote := range []git.Remote{{URL: serve(t, r).repo()}, {URL: r.url(), AllowFile: true}} {
		_, err := git.Checkout(ctx, remote, "main", t.TempDir()+"/out", git.Limits{})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
}
