package git

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"regexp"
	"strings"
	"sync"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"golang.org/x/crypto/ssh"
)

// openSSH makes a session of its own instead of taking go-git's, which reads the configuration of whoever runs this
// process, has no bounds, and cannot be told to stop.
func openSSH(remote Remote, address *url.URL, limits Limits) (origin, error) {
	config, err := remote.sshConfig(address)
	if err != nil {
		return nil, err
	}
	taken := &metered{limit: limits.MaxBytes}
	session := &sshSession{remote: remote, config: config, host: hostOf(address), path: pathOf(remote, address), taken: taken}
	return &server{remote: remote, limits: limits, session: session, taken: taken}, nil
}

func hostOf(address *url.URL) string {
	port := address.Port()
	if port == "" {
		port = "22"
	}
	return net.JoinHostPort(address.Hostname(), port)
}

// pathOf is what Git itself sends: as it is written after git@host:, and from the home of a user where it begins with /~.
func pathOf(remote Remote, address *url.URL) string {
	if scpLike.MatchString(remote.URL) {
		return address.Path
	}
	if strings.HasPrefix(address.Path, "/~") {
		return address.Path[1:]
	}
	return address.Path
}

// sshSession runs git-upload-pack on a host. The first one tells what there is and waits; a pack ends it, so that another
// pack takes another one.
type sshSession struct {
	remote     Remote
	config     *ssh.ClientConfig
	host, path string
	taken      *metered

	mu      sync.Mutex
	conn    net.Conn
	client  *ssh.Client
	waiting *uploadPack
}

// uploadPack is git-upload-pack as it runs on the host.
type uploadPack struct {
	session *ssh.Session
	in      io.WriteCloser
	out     io.Reader
	said    *prefixWriter
	offered *packp.AdvRefs
}

// AdvertisedReferencesContext connects, and asks what there is.
func (s *sshSession) AdvertisedReferencesContext(ctx context.Context) (*packp.AdvRefs, error) {
	stop, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer stop()
	s.waiting, err = s.start()
	if err != nil {
		return nil, err
	}
	return s.waiting.offered, nil
}

// UploadPack asks for a pack. The end of ctx ends the connection.
func (s *sshSession) UploadPack(ctx context.Context, request *packp.UploadPackRequest) (*packp.UploadPackResponse, error) {
	stop := context.AfterFunc(ctx, s.cut)
	running := s.waiting
	s.waiting = nil
	if running == nil {
		var err error
		if running, err = s.start(); err != nil {
			stop()
			return nil, err
		}
	}
	if err := running.ask(request); err != nil {
		stop()
		return nil, err
	}
	response := packp.NewUploadPackResponse(request)
	if err := response.Decode(&untilClosed{Reader: running.out, stop: stop}); err != nil {
		stop()
		return nil, err
	}
	return response, nil
}

// untilClosed is what a host sends; it is cut off at the end of the context until it is closed.
type untilClosed struct {
	io.Reader
	stop func() bool
}

// Close lets the context go.
func (u *untilClosed) Close() error {
	u.stop()
	return nil
}

// Close ends the connection.
func (s *sshSession) Close() error {
	s.cut()
	return nil
}

func (s *sshSession) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		_ = s.conn.Close() // it is given up
	}
}

// connect shakes hands within the context; what it returns lets the context go.
func (s *sshSession) connect(ctx context.Context) (stop func() bool, err error) {
	limited, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(limited, "tcp", s.host)
	if err != nil {
		return nil, s.remote.failed(limited, err)
	}
	s.mu.Lock()
	s.conn = &meteredConn{Conn: conn, meter: s.taken}
	s.mu.Unlock()
	hurry := context.AfterFunc(limited, s.cut)
	client, channels, requests, err := ssh.NewClientConn(s.conn, s.host, s.config)
	if !hurry() && err == nil {
		err = limited.Err()
	}
	if err != nil {
		s.cut()
		return nil, s.remote.failed(limited, s.remote.unshaken(s.host, err))
	}
	s.client = ssh.NewClient(client, channels, requests)
	return context.AfterFunc(ctx, s.cut), nil
}

func (s *sshSession) start() (*uploadPack, error) {
	session, err := s.client.NewSession()
	if err != nil {
		return nil, err
	}
	u := &uploadPack{session: session, said: &prefixWriter{limit: maxSaid}, offered: packp.NewAdvRefs()}
	session.Stderr = u.said
	if u.in, err = session.StdinPipe(); err != nil {
		return nil, err
	}
	if u.out, err = session.StdoutPipe(); err != nil {
		return nil, err
	}
	if err := session.Start(transport.UploadPackServiceName + " " + quoted(s.path)); err != nil {
		return nil, err
	}
	if err := u.offered.Decode(u.out); err != nil {
		return nil, u.failed(err)
	}
	transport.FilterUnsupportedCapabilities(u.offered.Capabilities)
	if u.offered.IsEmpty() {
		return nil, transport.ErrEmptyRemoteRepository
	}
	return u, nil
}

// ask sends the request as a whole: there is nothing to negotiate, because nothing is here yet.
func (u *uploadPack) ask(request *packp.UploadPackRequest) error {
	if err := request.UploadRequest.Encode(u.in); err != nil {
		return err
	}
	if err := pktline.NewEncoder(u.in).Encodef("done\n"); err != nil {
		return err
	}
	return u.in.Close()
}

// maxSaid bounds what is kept of what a host says beside what it answers.
const maxSaid = 4 << 10

var nothingThere = regexp.MustCompile(`(?i)not found|does not exist|does not appear to be a git repository|could not be found|no such`)

// failed prefers what the host says to people: where there is no repository, it answers nothing.
func (u *uploadPack) failed(err error) error {
	if errors.Is(err, packp.ErrEmptyAdvRefs) {
		return transport.ErrEmptyRemoteRepository
	}
	_ = u.in.Close()          // a host may wait for it
	ended := u.session.Wait() // the host has closed its output: this returns once all that it said was read
	said := strings.Join(strings.Fields(u.said.String()), " ")
	switch {
	case nothingThere.MatchString(said + err.Error()):
		return transport.ErrRepositoryNotFound
	case said != "":
		return errors.New(said)
	}
	return errors.Join(err, ended)
}

// quoted is one word to every shell, as Git quotes it.
func quoted(path string) string {
	return "'" + strings.NewReplacer("'", `'\''`, "!", `'\!'`).Replace(path) + "'"
}

// prefixWriter keeps the beginning of what is written to it, and takes all of it.
type prefixWriter struct {
	mu    sync.Mutex
	limit int
	kept  []byte
}

// Write implements io.Writer.
func (p *prefixWriter) Write(data []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kept = append(p.kept, data[:min(p.limit-len(p.kept), len(data))]...)
	return len(data), nil
}

// String is what was kept.
func (p *prefixWriter) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return string(p.kept)
}

// meteredConn bounds what is taken from a host.
type meteredConn struct {
	net.Conn
	meter *metered
}

// Read implements io.Reader.
func (c *meteredConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.meter.take(n) {
		return n, errTooLarge
	}
	return n, err
}
