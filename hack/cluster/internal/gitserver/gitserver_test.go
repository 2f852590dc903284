package gitserver

import (
	"crypto/rand"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestSplitPath(t *testing.T) {
	tests := []struct{ path, repository, rest string }{
		{"/app.git/info/refs", "app.git", "/info/refs"},
		{"/app/info/refs", "app.git", "/info/refs"},
		{"/team/app.git/git-receive-pack", "team/app.git", "/git-receive-pack"},
		{"/private/a.b/HEAD", "private/a.b.git", "/HEAD"},
		{"/app.git/objects/info/packs", "app.git", "/objects/info/packs"},
		{"/../etc/info/refs", "", ""},
		{"/a/../../etc/info/refs", "", ""},
		{"/.ssh/info/refs", "", ""},
		{"/app.git/config", "", ""},
		{"/info/refs", "", ""},
		{"/", "", ""},
	}
	for _, test := range tests {
		repository, rest, err := splitPath(test.path)
		if repository != test.repository || rest != test.rest || (err == nil) != (test.repository != "") {
			t.Errorf("%s: %q %q %v", test.path, repository, rest, err)
		}
	}
}

func TestPushThenClone(t *testing.T) {
	root, work := t.TempDir(), t.TempDir()
	handler, err := New(root)
	if err != nil {
		t.Skip(err)
	}
	server := httptest.NewServer(handler)
	defer server.Close()
	content := make([]byte, 2<<20) // beyond http.postBuffer, so that it comes in chunks
	_, _ = rand.Read(content)
	if err := os.WriteFile(filepath.Join(work, "file"), content, 0o644); err != nil {
		t.Fatal(err)
	}
	private := strings.Replace(server.URL, "http://", "http://"+User+":"+Password+"@", 1) + "/private/app"
	for _, args := range [][]string{
		{"init", "-q", "-b", "main"},
		{"add", "."},
		{"-c", "user.name=T", "-c", "user.email=t@example.com", "commit", "-q", "-m", "First"},
		{"push", "-q", server.URL + "/app.git", "main"},
		{"clone", "-q", server.URL + "/app", "again"},
		{"push", "-q", private, "main"},
	} {
		if out, err := git(work, args...); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	for _, url := range []string{server.URL + "/private/app", server.URL + "/absent"} {
		if out, err := git(work, "ls-remote", url); err == nil {
			t.Errorf("%s: %s", url, out)
		}
	}
}

func git(dir string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_GLOBAL=/dev/null")
	out, err := cmd.CombinedOutput()
	return string(out), err
}
