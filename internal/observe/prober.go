package observe

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Question asks one endpoint of a gateway for a path.
type Question struct {
	// Address is the IP and port of a gateway Pod.
	Address string
	// TLS is whether the listener speaks it; Host is then asked for by SNI too.
	TLS  bool
	Host string
	Path string
}

// Answer is what it said.
type Answer struct {
	Code   int
	Header http.Header
	Body   string
}

// Prober asks gateways. Each Ask goes over a connection of its own, follows no redirect, and gives up soon.
type Prober interface {
	Ask(ctx context.Context, q Question) (Answer, error)
}

const (
	askTimeout  = 500 * time.Millisecond
	answerBytes = 4 << 10
)

type httpProber struct{}

// NewProber returns a Prober that asks over HTTP. Certificates are not verified: it is the gateway's configuration that
// is asked for, at the address of a Pod, and nothing is told to it.
func NewProber() Prober { return httpProber{} }

// Ask asks once.
func (httpProber) Ask(ctx context.Context, q Question) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	scheme := "http"
	if q.TLS {
		scheme = "https"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+q.Address+q.Path, nil)
	if err != nil {
		return Answer{}, fmt.Errorf("making the request: %w", err)
	}
	request.Host = q.Host
	request.Header.Set("User-Agent", "lockstep")
	response, err := freshTransport(q.Host).RoundTrip(request)
	if err != nil {
		return Answer{}, fmt.Errorf("asking %s: %w", q.Address, err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, answerBytes))
	if err != nil {
		return Answer{}, fmt.Errorf("reading the answer of %s: %w", q.Address, err)
	}
	return Answer{Code: response.StatusCode, Header: response.Header, Body: string(body)}, nil
}

// freshTransport never keeps a connection, knows no proxy, and follows nothing.
func freshTransport(host string) *http.Transport {
	return &http.Transport{
		DisableKeepAlives: true,
		DialContext:       (&net.Dialer{Timeout: askTimeout}).DialContext,
		TLSClientConfig:   &tls.Config{ServerName: host, InsecureSkipVerify: true}, //nolint:gosec // see NewProber
	}
}
