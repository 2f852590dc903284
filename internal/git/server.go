package git

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
)

// Bounds of one connection. The context bounds the whole.
const (
	dialTimeout     = 10 * time.Second
	responseTimeout = 60 * time.Second
)

// connections are shared: a watched repository is asked over and over again.
var connections = &http.Transport{
	Proxy:                 http.ProxyFromEnvironment,
	DialContext:           (&net.Dialer{Timeout: dialTimeout}).DialContext,
	ForceAttemptHTTP2:     true,
	TLSHandshakeTimeout:   dialTimeout,
	ResponseHeaderTimeout: responseTimeout,
	IdleConnTimeout:       90 * time.Second,
	MaxIdleConns:          32,
}

var errTooLarge = errors.New("the server sends more than is taken")

// session speaks to a Git server; each pack is asked for in a request of its own.
type session interface {
	AdvertisedReferencesContext(ctx context.Context) (*packp.AdvRefs, error)
	UploadPack(ctx context.Context, request *packp.UploadPackRequest) (*packp.UploadPackResponse, error)
	Close() error
}

// server reads a repository over HTTP or SSH.
type server struct {
	remote  Remote
	limits  Limits
	session session
	taken   *metered
	offered *packp.AdvRefs
}

// openServer makes a client of its own instead of using go-git's registry of them, which has no bounds and is global.
func openServer(remote Remote, address *url.URL, limits Limits) (origin, error) {
	endpoint, err := transport.NewEndpoint(address.String())
	if err != nil {
		return nil, remote.failed(context.Background(), err)
	}
	taken := &metered{limit: limits.MaxBytes}
	// Redirects are followed for the first request alone, and credentials are dropped when one leaves the origin.
	client := githttp.NewClientWithOptions(&http.Client{Transport: taken}, &githttp.ClientOptions{RedirectPolicy: githttp.FollowInitialRedirects})
	var auth transport.AuthMethod
	if basic := remote.auth(); basic != nil {
		auth = basic
	}
	session, err := client.NewUploadPackSession(endpoint, auth)
	if err != nil {
		return nil, remote.failed(context.Background(), err)
	}
	return &server{remote: remote, limits: limits, session: session, taken: taken}, nil
}

func (s *server) close() { _ = s.session.Close() } // there is nothing that could be done about it

func (s *server) refs(ctx context.Context) (refs, error) {
	offered, err := s.session.AdvertisedReferencesContext(ctx)
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	s.offered = offered
	known := refs{}
	for name, hash := range offered.References {
		known[name] = tip{object: hash, commit: hash}
		if commit, ok := offered.Peeled[name]; ok {
			known[name] = tip{object: hash, commit: commit}
		}
	}
	if offered.Head != nil {
		known[headName] = tip{object: *offered.Head, commit: *offered.Head}
	}
	return known, nil
}

// objects asks for the one commit first. Servers that do not serve what they did not advertise, or nothing shallow, are
// asked for everything.
func (s *server) objects(ctx context.Context, known refs, wanted tip, scratch string) (storer.EncodedObjectStorer, error) {
	stored, err := s.fetch(ctx, scratch, 1, wanted.object)
	if err == nil && holds(stored, wanted.commit) {
		return stored, nil
	}
	if err != nil && s.final(ctx, err) {
		return nil, s.failed(ctx, err)
	}
	stored, err = s.fetch(ctx, scratch, 0, known.tips()...)
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	if !holds(stored, wanted.commit) {
		return nil, noCommit(s.remote, wanted.commit)
	}
	return stored, nil
}

// final is whether asking for more cannot help.
func (s *server) final(ctx context.Context, err error) bool {
	var own *Error
	return ctx.Err() != nil || s.taken.exceeded.Load() || errors.As(err, &own) ||
		errors.Is(err, transport.ErrAuthenticationRequired) || errors.Is(err, transport.ErrAuthorizationFailed)
}

func (s *server) failed(ctx context.Context, err error) error {
	if s.taken.exceeded.Load() {
		return s.remote.tooLarge(s.limits)
	}
	return s.remote.failed(ctx, err)
}

// tips are the branches and tags; others, such as those of pull requests, are many and not released from.
func (r refs) tips() []plumbing.Hash {
	wanted := map[plumbing.Hash]bool{}
	for name, known := range r {
		if name == headName || strings.HasPrefix(name, branches) || strings.HasPrefix(name, tags) {
			wanted[known.object] = true
		}
	}
	return slices.Collect(maps.Keys(wanted))
}

func (s *server) fetch(ctx context.Context, scratch string, depth int, wanted ...plumbing.Hash) (storer.EncodedObjectStorer, error) {
	request := s.request(depth, wanted)
	response, err := s.session.UploadPack(ctx, request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Close() }() // it was read as far as it matters
	most := s.limits.ofHistory()
	if !request.Depth.IsZero() {
		most = s.limits.ofCommit()
	}
	return unpack(ctx, s.remote, most, demultiplexed(request.Capabilities, response), scratch)
}

func (s *server) request(depth int, wanted []plumbing.Hash) *packp.UploadPackRequest {
	request := packp.NewUploadPackRequestFromCapabilities(s.offered.Capabilities)
	request.Wants = wanted
	if s.offered.Capabilities.Supports(capability.NoProgress) {
		_ = request.Capabilities.Set(capability.NoProgress) // it takes no argument that could be wrong
	}
	if depth > 0 && s.offered.Capabilities.Supports(capability.Shallow) {
		_ = request.Capabilities.Set(capability.Shallow)
		request.Depth = packp.DepthCommits(depth)
	}
	return request
}

func demultiplexed(agreed *capability.List, from io.Reader) io.Reader {
	switch {
	case agreed.Supports(capability.Sideband64k):
		return sideband.NewDemuxer(sideband.Sideband64k, from)
	case agreed.Supports(capability.Sideband):
		return sideband.NewDemuxer(sideband.Sideband, from)
	}
	return from
}

// metered bounds what is taken from a server, whatever reads it.
type metered struct {
	limit    int64
	used     atomic.Int64
	exceeded atomic.Bool
}

// RoundTrip implements http.RoundTripper.
func (m *metered) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := connections.RoundTrip(request)
	if err == nil {
		response.Body = &meteredBody{ReadCloser: response.Body, meter: m}
	}
	return response, err
}

type meteredBody struct {
	io.ReadCloser
	meter *metered
}

func (b *meteredBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.meter.take(n) {
		return n, errTooLarge
	}
	return n, err
}

// take counts what was read, and says whether it is too much.
func (m *metered) take(n int) bool {
	if m.used.Add(int64(n)) <= m.limit {
		return false
	}
	m.exceeded.Store(true)
	return true
}
