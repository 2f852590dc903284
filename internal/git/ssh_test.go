package git_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/git"
)

// sshHost is an ssh server that runs git's own upload-pack in the folder that a repository lies in, for one key.
type sshHost struct {
	t       *testing.T
	repo    *repo
	address string
	keys    []ssh.Signer
	user    ssh.PublicKey
	// answer takes the place of git, where it is set.
	answer func(ssh.Channel)
	// serving are the connections that are open.
	serving sync.WaitGroup

	mu  sync.Mutex
	ran []string
}

func newKey(t *testing.T) (private string, signer ssh.Signer) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return encoded(t, key, ""), mustSign(t, key)
}

func encoded(t *testing.T, key ed25519.PrivateKey, passphrase string) string {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(key, "test")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "test", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block))
}

func mustSign(t *testing.T, key any) ssh.Signer {
	t.Helper()
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// serveSSH starts a host, and returns how it is reached with the right key.
func serveSSH(t *testing.T, r *repo) (*sshHost, git.Remote) {
	t.Helper()
	private, user := newKey(t)
	_, key := newKey(t)
	h := &sshHost{t: t, repo: r, keys: []ssh.Signer{key}, user: user.PublicKey()}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.address = listener.Addr().String()
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			h.serving.Go(func() { h.serve(conn) })
		}
	}()
	return h, git.Remote{URL: "ssh://git@" + h.address + "/shop/.git", PrivateKey: private, KnownHosts: h.known()}
}

func (h *sshHost) known() string {
	var lines []string
	for _, key := range h.keys {
		lines = append(lines, knownhosts.Line([]string{knownhosts.Normalize(h.address)}, key.PublicKey()))
	}
	return strings.Join(lines, "\n") + "\n"
}

func (h *sshHost) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	config := &ssh.ServerConfig{PublicKeyCallback: func(from ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if from.User() != "git" || string(key.Marshal()) != string(h.user.Marshal()) {
			return nil, errors.New("who is that?")
		}
		return nil, nil
	}}
	for _, key := range h.keys {
		config.AddHostKey(key)
	}
	server, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	go ssh.DiscardRequests(requests)
	for wanted := range channels {
		channel, asked, err := wanted.Accept()
		if err != nil {
			return
		}
		go h.session(channel, asked)
	}
}

func (h *sshHost) session(channel ssh.Channel, asked <-chan *ssh.Request) {
	for request := range asked {
		if request.Type != "exec" {
			_ = request.Reply(false, nil)
			continue
		}
		var command struct{ Text string }
		_ = ssh.Unmarshal(request.Payload, &command)
		_ = request.Reply(true, nil)
		code := h.run(channel, command.Text)
		_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Code uint32 }{code}))
		_ = channel.Close()
	}
}

func (h *sshHost) run(channel ssh.Channel, text string) uint32 {
	h.mu.Lock()
	h.ran = append(h.ran, text)
	answer := h.answer
	h.mu.Unlock()
	if answer != nil {
		answer(channel)
		return 0
	}
	path, ok := strings.CutPrefix(text, "git-upload-pack '")
	path = strings.TrimSuffix(path, "'")
	if !ok || strings.Contains(path, "'") {
		return 127
	}
	cmd := exec.Command("git", "upload-pack", filepath.Join(filepath.Dir(h.repo.dir), path))
	cmd.Env = []string{"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "PATH=/usr/bin:/bin"}
	cmd.Stdout, cmd.Stderr = channel, channel.Stderr()
	in, err := cmd.StdinPipe()
	if err != nil {
		return 126
	}
	go func() { _, _ = io.Copy(in, channel); _ = in.Close() }() // git may end before the client does
	if cmd.Run() != nil {
		return 128
	}
	return 0
}

func (h *sshHost) commands() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ran
}

func TestSSH(t *testing.T) {
	r := newRepo(t).write("a", "1")
	first := r.commit()
	r.write("a", "2").write("big", strings.Repeat("0123456789", 300_000)).commit()
	r.git("tag", "-a", "-m", "x", "v1")
	head := r.git("rev-parse", "HEAD")
	holds := map[string]string{first: " 1", head: " 2"}
	_, remote := serveSSH(t, r)
	for revision, want := range map[string]string{"main": head, "v1": head, "": head, first: first} {
		got, err := git.Resolve(t.Context(), remote, revision)
		if err != nil || got != want {
			t.Errorf("%q resolves to %s (%v), want %s", revision, got, err, want)
		}
		tree, dir, err := checkout(t, remote, revision, git.Limits{})
		if err != nil {
			t.Fatalf("%q: %v", revision, err)
		}
		if content := listed(t, dir)["a"]; tree.Commit != want || !strings.HasSuffix(content, holds[want]) {
			t.Errorf("%q: commit %s with a = %q", revision, tree.Commit, content)
		}
	}
}

// A watched repository is asked over and over again: each time ends its connection.
func TestSSHConnectionsAreClosed(t *testing.T) {
	r := newRepo(t).write("a", "1")
	r.commit()
	r.git("tag", "v1.0.0")
	for name, ask := range map[string]func(git.Remote) error{
		"resolve":    func(remote git.Remote) error { _, err := git.Resolve(t.Context(), remote, "main"); return err },
		"newest tag": func(remote git.Remote) error { _, err := git.NewestTag(t.Context(), remote, "v.*"); return err },
		"checkout":   func(remote git.Remote) error { _, _, err := checkout(t, remote, "main", git.Limits{}); return err },
	} {
		t.Run(name, func(t *testing.T) {
			h, remote := serveSSH(t, r)
			if err := ask(remote); err != nil {
				t.Fatal(err)
			}
			closed := make(chan struct{})
			go func() { h.serving.Wait(); close(closed) }()
			select {
			case <-closed:
			case <-time.After(5 * time.Second):
				t.Error("the connection is open still")
			}
		})
	}
}

// A server that serves only what it advertises is asked again, in another session.
func TestSSHAsksAgainForEverything(t *testing.T) {
	r := newRepo(t).write("a", "1")
	first := r.commit()
	r.write("a", "2").commit()
	r.git("config", "uploadpack.allowAnySHA1InWant", "false")
	h, remote := serveSSH(t, r)
	tree, _, err := checkout(t, remote, first, git.Limits{})
	if err != nil || tree.Commit != first {
		t.Fatalf("commit %v, %v", tree, err)
	}
	if len(h.commands()) != 2 {
		t.Errorf("ran %q", h.commands())
	}
}

func TestSSHPaths(t *testing.T) {
	r := newRepo(t).write("a", "1")
	r.commit()
	h, remote := serveSSH(t, r)
	_, port, _ := net.SplitHostPort(h.address)
	for url, want := range map[string]string{
		"ssh://git@127.0.0.1:" + port + "/shop/.git":        "git-upload-pack '/shop/.git'",
		"ssh://127.0.0.1:" + port + "/shop/.git":            "git-upload-pack '/shop/.git'",
		"ssh://git@127.0.0.1:" + port + "/~team/shop":       "git-upload-pack '~team/shop'",
		"ssh://git@127.0.0.1:" + port + "/a'; rm -rf ~ #!'": `git-upload-pack '/a'\''; rm -rf ~ '`,
	} {
		h.mu.Lock()
		h.ran = nil
		h.mu.Unlock()
		remote.URL = url
		_, _ = git.Resolve(t.Context(), remote, "main")
		if diff := cmp.Diff([]string{want}, h.commands()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", url, diff)
		}
	}
}

func TestSSHIsRefused(t *testing.T) {
	r := newRepo(t).write("a", "1")
	r.commit()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecdsaKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, otherSigner := newKey(t)
	for name, c := range map[string]struct {
		set    func(*sshHost, *git.Remote)
		reason string
		says   []string
	}{
		"no key":           {func(_ *sshHost, r *git.Remote) { r.PrivateKey = "" }, v1alpha1.ReasonAuthFailed, []string{"ssh-privatekey", "source.git.secretRef"}},
		"not a key":        {func(_ *sshHost, r *git.Remote) { r.PrivateKey = "secret" }, v1alpha1.ReasonAuthFailed, []string{"PEM"}},
		"wrong key":        {func(_ *sshHost, r *git.Remote) { r.PrivateKey = other }, v1alpha1.ReasonAuthFailed, []string{"refuses the key", "deploy key"}},
		"wrong user":       {func(_ *sshHost, r *git.Remote) { r.URL = strings.Replace(r.URL, "git@", "root@", 1) }, v1alpha1.ReasonAuthFailed, []string{"refuses the key"}},
		"no passphrase":    {func(_ *sshHost, r *git.Remote) { r.PrivateKey = encoded(t, key, "open") }, v1alpha1.ReasonAuthFailed, []string{"passphrase"}},
		"wrong passphrase": {func(_ *sshHost, r *git.Remote) { r.PrivateKey, r.Passphrase = encoded(t, key, "open"), "sesame" }, v1alpha1.ReasonAuthFailed, []string{"does not open"}},
		"no known_hosts":   {func(_ *sshHost, r *git.Remote) { r.KnownHosts = "\n" }, v1alpha1.ReasonHostKeyUnknown, []string{"known_hosts", "ssh-keyscan -p "}},
		"not known_hosts":  {func(_ *sshHost, r *git.Remote) { r.KnownHosts = "a b c\n" }, v1alpha1.ReasonHostKeyUnknown, []string{"known_hosts", "cannot be read"}},
		"unknown host": {func(h *sshHost, r *git.Remote) {
			r.KnownHosts = strings.ReplaceAll(r.KnownHosts, "127.0.0.1", "git.example.com")
		}, v1alpha1.ReasonHostKeyUnknown, []string{"does not know", "SHA256:", "ssh-keyscan"}},
		"changed host key":         {func(h *sshHost, _ *git.Remote) { h.keys = []ssh.Signer{otherSigner} }, v1alpha1.ReasonHostKeyChanged, []string{"another one", ssh.FingerprintSHA256(otherSigner.PublicKey()), "nothing was sent"}},
		"host key of another kind": {func(h *sshHost, _ *git.Remote) { h.keys = []ssh.Signer{mustSign(t, ecdsaKey)} }, v1alpha1.ReasonHostKeyChanged, []string{"other kinds"}},
		"revoked host key":         {func(h *sshHost, r *git.Remote) { r.KnownHosts = "@revoked * " + strings.SplitN(h.known(), " ", 2)[1] }, v1alpha1.ReasonHostKeyChanged, []string{"revoked"}},
		"no repository":            {func(_ *sshHost, r *git.Remote) { r.URL += "/none" }, v1alpha1.ReasonRepoUnreachable, []string{"there is no repository"}},
		"a host that says no": {func(h *sshHost, _ *git.Remote) {
			h.answer = func(c ssh.Channel) { _, _ = io.WriteString(c.Stderr(), "we are moving house\n") }
		}, v1alpha1.ReasonRepoUnreachable, []string{"we are moving house"}},
		"nobody there":    {func(_ *sshHost, r *git.Remote) { r.URL = "ssh://git@127.0.0.1:1/shop" }, v1alpha1.ReasonRepoUnreachable, []string{"127.0.0.1:1"}},
		"branch missing":  {func(_ *sshHost, r *git.Remote) { r.URL += "" }, v1alpha1.ReasonRevisionMissing, []string{"branch or tag gone"}},
		"a host too many": {func(_ *sshHost, r *git.Remote) { r.URL = "ssh:///shop" }, v1alpha1.ReasonRepoUnreachable, []string{"ssh://git@host/"}},
	} {
		t.Run(name, func(t *testing.T) {
			h, remote := serveSSH(t, r)
			c.set(h, &remote)
			_, err := git.Resolve(t.Context(), remote, "gone")
			fails(t, err, c.reason, c.says...)
			if strings.Contains(err.Error(), "PRIVATE KEY") || strings.Contains(err.Error(), "sesame") {
				t.Errorf("a secret: %v", err)
			}
		})
	}
}

func TestSSHWithPassphrase(t *testing.T) {
	r := newRepo(t).write("a", "1")
	head := r.commit()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	h, remote := serveSSH(t, r)
	h.user = mustSign(t, key).PublicKey()
	remote.PrivateKey, remote.Passphrase = encoded(t, key, "open"), "open"
	if got, err := git.Resolve(t.Context(), remote, "main"); err != nil || got != head {
		t.Errorf("got %s, %v", got, err)
	}
}

// A host has keys of several kinds, and known_hosts one of them.
func TestSSHHostWithSeveralKeys(t *testing.T) {
	r := newRepo(t).write("a", "1")
	r.commit()
	h, remote := serveSSH(t, r)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	h.keys = append(h.keys, mustSign(t, key))
	for i, known := range strings.SplitAfter(strings.TrimSpace(h.known()), "\n") {
		remote.KnownHosts = known
		if _, err := git.Resolve(t.Context(), remote, "main"); err != nil {
			t.Errorf("with key %d: %v", i, err)
		}
	}
}

func TestSSHIsBounded(t *testing.T) {
	r := newRepo(t)
	random := make([]byte, 2<<20)
	_, _ = rand.Read(random)
	r.write("big", string(random)).commit()
	_, remote := serveSSH(t, r)
	_, _, err := checkout(t, remote, "main", git.Limits{MaxBytes: 1 << 20})
	fails(t, err, v1alpha1.ReasonContentTooLarge, "1 MiB")
}

// A host that says nothing is left when the time is up, wherever it stopped.
func TestSSHHostThatIsSilent(t *testing.T) {
	r := newRepo(t).write("a", "1")
	r.commit()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for name, set := range map[string]func(*sshHost, *git.Remote){
		"before the handshake": func(_ *sshHost, r *git.Remote) { r.URL = "ssh://git@" + silent.Addr().String() + "/shop" },
		"before the names":     func(h *sshHost, _ *git.Remote) { h.answer = func(c ssh.Channel) { _, _ = io.Copy(io.Discard, c) } },
	} {
		t.Run(name, func(t *testing.T) {
			h, remote := serveSSH(t, r)
			set(h, &remote)
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			_, err := git.Resolve(ctx, remote, "main")
			fails(t, err, v1alpha1.ReasonRepoUnreachable, "in time")
		})
	}
}
